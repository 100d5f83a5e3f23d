CREATE TABLE "nodes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"host_name" text NOT NULL,
	"address" text NOT NULL,
	"version" text NOT NULL,
	"roles" jsonb NOT NULL,
	"tags" jsonb NOT NULL,
	"slots" integer NOT NULL,
	"problem" text NOT NULL,
	"draining" boolean DEFAULT false NOT NULL,
	"start_time" timestamp (6) with time zone NOT NULL,
	"heartbeat_time" timestamp (6) with time zone NOT NULL,
	"stop_time" timestamp (6) with time zone
);
--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "may_still_run" boolean DEFAULT false NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_may_still_run" ON "tasks" USING btree ("project","template") WHERE "tasks"."may_still_run";