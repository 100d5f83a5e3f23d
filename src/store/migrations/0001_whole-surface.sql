CREATE SEQUENCE "public"."task_event_positions" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1;--> statement-breakpoint
CREATE TABLE "access_keys" (
	"project" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"secrets" "bytea",
	"secrets_hash" "bytea",
	CONSTRAINT "access_keys_project_name_pk" PRIMARY KEY("project","name")
);
--> statement-breakpoint
CREATE TABLE "inventories" (
	"project" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"repository" text GENERATED ALWAYS AS (split_part(spec->'file'->>'repository', '/', 4)) STORED,
	"ssh_key" text GENERATED ALWAYS AS (split_part(spec->>'sshKey', '/', 4)) STORED,
	"become_key" text GENERATED ALWAYS AS (split_part(spec->>'becomeKey', '/', 4)) STORED,
	CONSTRAINT "inventories_project_name_pk" PRIMARY KEY("project","name")
);
--> statement-breakpoint
CREATE TABLE "task_plans" (
	"task_id" uuid PRIMARY KEY NOT NULL,
	"text" "bytea" NOT NULL
);
--> statement-breakpoint
CREATE TABLE "task_results" (
	"task_id" uuid PRIMARY KEY NOT NULL,
	"result" jsonb NOT NULL
);
--> statement-breakpoint
ALTER TABLE "tasks" DROP CONSTRAINT "tasks_end_reason";--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "secrets" "bytea";--> statement-breakpoint
ALTER TABLE "environments" ADD COLUMN "secrets_hash" "bytea";--> statement-breakpoint
ALTER TABLE "repositories" ADD COLUMN "access_key" text GENERATED ALWAYS AS (split_part(spec->>'accessKey', '/', 4)) STORED;--> statement-breakpoint
ALTER TABLE "task_events" ADD COLUMN "position" bigint;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "confirm_deadline" timestamp (6) with time zone;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "plan" jsonb;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "version" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "build_task" uuid;--> statement-breakpoint
ALTER TABLE "tasks" ADD COLUMN "incoming_version" text DEFAULT '' NOT NULL;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "inventory" text GENERATED ALWAYS AS (split_part(spec->>'inventory', '/', 4)) STORED;--> statement-breakpoint
ALTER TABLE "templates" ADD COLUMN "build_template" text GENERATED ALWAYS AS (split_part(spec->>'buildTemplate', '/', 4)) STORED;--> statement-breakpoint
ALTER TABLE "access_keys" ADD CONSTRAINT "access_keys_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "inventories" ADD CONSTRAINT "inventories_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "inventories" ADD CONSTRAINT "inventories_repository" FOREIGN KEY ("project","repository") REFERENCES "public"."repositories"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "inventories" ADD CONSTRAINT "inventories_ssh_key" FOREIGN KEY ("project","ssh_key") REFERENCES "public"."access_keys"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "inventories" ADD CONSTRAINT "inventories_become_key" FOREIGN KEY ("project","become_key") REFERENCES "public"."access_keys"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_plans" ADD CONSTRAINT "task_plans_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_results" ADD CONSTRAINT "task_results_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repositories" ADD CONSTRAINT "repositories_access_key" FOREIGN KEY ("project","access_key") REFERENCES "public"."access_keys"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "templates" ADD CONSTRAINT "templates_inventory" FOREIGN KEY ("project","inventory") REFERENCES "public"."inventories"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "templates" ADD CONSTRAINT "templates_build_template" FOREIGN KEY ("project","build_template") REFERENCES "public"."templates"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "task_events_position" ON "task_events" USING btree ("position");--> statement-breakpoint
CREATE INDEX "task_events_unplaced" ON "task_events" USING btree ("task_id","ordinal") WHERE "task_events"."position" IS NULL;--> statement-breakpoint
ALTER TABLE "tasks" ADD CONSTRAINT "tasks_end_reason" CHECK ("tasks"."end_reason" IN ('EXIT_CODE', 'SIGNAL', 'QUEUE_TIMEOUT', 'RUN_TIMEOUT', 'IDLE_TIMEOUT', 'CONFIRM_TIMEOUT', 'REJECTED', 'PREPARE_FAILED', 'STOPPED_BY_USER', 'LOG_LIMIT', 'LOST', 'HOOK_FAILED'));