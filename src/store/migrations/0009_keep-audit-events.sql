CREATE TABLE "audit_retention" (
	"id" boolean PRIMARY KEY DEFAULT true NOT NULL,
	"keep" interval NOT NULL,
	CONSTRAINT "audit_retention_one_row" CHECK ("audit_retention"."id")
);
--> statement-breakpoint
ALTER TABLE "audit_events" ADD COLUMN "template" text DEFAULT '' NOT NULL;