CREATE TABLE "late_chunks" (
	"task_id" uuid NOT NULL,
	"first_seq" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	"stdout_lines" integer NOT NULL,
	"stderr_lines" integer NOT NULL,
	"system_lines" integer NOT NULL,
	"data" "bytea" NOT NULL,
	CONSTRAINT "late_chunks_task_id_first_seq_pk" PRIMARY KEY("task_id","first_seq")
);
--> statement-breakpoint
ALTER TABLE "late_chunks" ADD CONSTRAINT "late_chunks_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;