ALTER TABLE "tasks" RENAME COLUMN "boot_id" TO "executor_handle";--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "executor" text DEFAULT 'local' NOT NULL;