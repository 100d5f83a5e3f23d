CREATE TABLE "secret_key_check" (
	"id" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"sealed" "bytea" NOT NULL,
	CONSTRAINT "secret_key_check_one_row" CHECK ("secret_key_check"."id")
);
