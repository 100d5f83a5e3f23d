DROP INDEX "tasks_start_time";--> statement-breakpoint
DROP INDEX "tasks_end_time";--> statement-breakpoint
DROP INDEX "tasks_project";--> statement-breakpoint
DROP INDEX "tasks_template";--> statement-breakpoint
CREATE INDEX "tasks_status_start_time" ON "tasks" USING btree ("status","start_time","id") WHERE "tasks"."start_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_project_start_time" ON "tasks" USING btree ("project","status","start_time","id") WHERE "tasks"."start_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_template_start_time" ON "tasks" USING btree ("project","template","status","start_time","id") WHERE "tasks"."start_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_status_end_time" ON "tasks" USING btree ("status","end_time","id") WHERE "tasks"."end_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_project_end_time" ON "tasks" USING btree ("project","status","end_time","id") WHERE "tasks"."end_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_template_end_time" ON "tasks" USING btree ("project","template","status","end_time","id") WHERE "tasks"."end_time" IS NOT NULL;--> statement-breakpoint
CREATE INDEX "tasks_project" ON "tasks" USING btree ("project","status","id");--> statement-breakpoint
CREATE INDEX "tasks_template" ON "tasks" USING btree ("project","template","status","id");