DROP INDEX "task_events_position";--> statement-breakpoint
CREATE INDEX "tasks_status" ON "tasks" USING btree ("status","id");--> statement-breakpoint
CREATE INDEX "tasks_start_time" ON "tasks" USING btree ("start_time","id") WHERE "tasks"."start_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_end_time" ON "tasks" USING btree ("end_time","id") WHERE "tasks"."end_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_labels" ON "tasks" USING gin ("labels" jsonb_path_ops) WHERE "tasks"."labels" <> '{}';--> statement-breakpoint
CREATE INDEX "task_events_position" ON "task_events" USING btree ("position") WHERE "task_events"."position" IS NOT NULL;--> statement-breakpoint
-- Placing events (store/transitions.ts) leaves a dead entry in task_events_unplaced for each; they must not pile up.
ALTER TABLE "task_events" SET (autovacuum_vacuum_scale_factor = 0.02, vacuum_index_cleanup = on);
