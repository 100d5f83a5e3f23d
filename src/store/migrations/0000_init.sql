CREATE TABLE "environments" (
	"project" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "environments_project_name_pk" PRIMARY KEY("project","name")
);
--> statement-breakpoint
CREATE TABLE "log_chunks" (
	"task_id" uuid NOT NULL,
	"first_seq" bigint NOT NULL,
	"last_seq" bigint NOT NULL,
	"stdout_lines" integer NOT NULL,
	"stderr_lines" integer NOT NULL,
	"system_lines" integer NOT NULL,
	"data" "bytea" NOT NULL,
	CONSTRAINT "log_chunks_task_id_first_seq_pk" PRIMARY KEY("task_id","first_seq")
) PARTITION BY RANGE ("task_id");
--> statement-breakpoint
-- The chunks are compressed already: pglz over them would cost time and save nothing.
ALTER TABLE "log_chunks" ALTER COLUMN "data" SET STORAGE EXTERNAL;
--> statement-breakpoint
CREATE TABLE "projects" (
	"name" text PRIMARY KEY NOT NULL,
	"max_parallel_tasks" integer GENERATED ALWAYS AS (coalesce((spec->>'maxParallelTasks')::integer, 0)) STORED NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "repositories" (
	"project" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "repositories_project_name_pk" PRIMARY KEY("project","name")
);
--> statement-breakpoint
CREATE TABLE "task_events" (
	"task_id" uuid NOT NULL,
	"ordinal" integer NOT NULL,
	"status" text NOT NULL,
	"time" timestamp (6) with time zone NOT NULL,
	"after_seq" bigint NOT NULL,
	"message" text DEFAULT '' NOT NULL,
	CONSTRAINT "task_events_task_id_ordinal_pk" PRIMARY KEY("task_id","ordinal")
);
--> statement-breakpoint
CREATE TABLE "task_heads" (
	"task_id" uuid PRIMARY KEY NOT NULL,
	"lease_epoch" integer DEFAULT 0 NOT NULL,
	"last_seq" bigint DEFAULT 0 NOT NULL,
	"events" integer DEFAULT 0 NOT NULL,
	"stdout_offset" bigint DEFAULT 0 NOT NULL,
	"stderr_offset" bigint DEFAULT 0 NOT NULL,
	"log_bytes" bigint DEFAULT 0 NOT NULL
);
--> statement-breakpoint
CREATE TABLE "task_requests" (
	"request_id" uuid PRIMARY KEY NOT NULL,
	"task_id" uuid NOT NULL,
	"body_hash" "bytea" NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tasks" (
	"id" uuid PRIMARY KEY NOT NULL,
	"project" text NOT NULL,
	"template" text NOT NULL,
	"app" text NOT NULL,
	"status" text NOT NULL,
	"priority" integer NOT NULL,
	"labels" jsonb NOT NULL,
	"spec" jsonb NOT NULL,
	"secrets" "bytea",
	"create_time" timestamp (6) with time zone NOT NULL,
	"start_time" timestamp (6) with time zone,
	"queue_deadline" timestamp (6) with time zone,
	"run_deadline" timestamp (6) with time zone,
	"commit_hash" text DEFAULT '' NOT NULL,
	"commit_message" text DEFAULT '' NOT NULL,
	"node" uuid,
	"boot_id" text,
	"lease_epoch" integer DEFAULT 0 NOT NULL,
	"lease_expires" timestamp (6) with time zone,
	"kill_time" timestamp (6) with time zone,
	"kill_force" boolean DEFAULT false NOT NULL,
	"kill_deadline" timestamp (6) with time zone,
	"kill_reason" text DEFAULT '' NOT NULL,
	"end_time" timestamp (6) with time zone,
	"exit_code" integer,
	"signal" text,
	"end_reason" text,
	"end_message" text DEFAULT '' NOT NULL,
	CONSTRAINT "tasks_status" CHECK ("tasks"."status" IN ('WAITING', 'STARTING', 'RUNNING', 'WAITING_CONFIRMATION', 'CONFIRMED', 'REJECTED', 'STOPPING', 'STOPPED', 'SUCCESS', 'ERROR')),
	CONSTRAINT "tasks_end_reason" CHECK ("tasks"."end_reason" IN ('EXIT_CODE', 'SIGNAL', 'QUEUE_TIMEOUT', 'RUN_TIMEOUT', 'IDLE_TIMEOUT', 'CONFIRM_TIMEOUT', 'REJECTED', 'PREPARE_FAILED', 'STOPPED_BY_USER', 'LOG_LIMIT', 'LOST')),
	CONSTRAINT "tasks_ended" CHECK (("tasks"."end_time" IS NOT NULL) = ("tasks"."status" IN ('STOPPED', 'SUCCESS', 'ERROR'))),
	CONSTRAINT "tasks_success" CHECK ("tasks"."status" NOT IN ('STOPPED', 'SUCCESS', 'ERROR') OR ("tasks"."end_reason" IS NULL) = ("tasks"."status" = 'SUCCESS')),
	CONSTRAINT "tasks_owned" CHECK ("tasks"."status" NOT IN ('STARTING', 'RUNNING', 'CONFIRMED', 'REJECTED', 'STOPPING') OR ("tasks"."node" IS NOT NULL AND "tasks"."lease_expires" IS NOT NULL))
);
--> statement-breakpoint
CREATE TABLE "templates" (
	"project" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"repository" text GENERATED ALWAYS AS (split_part(spec->>'repository', '/', 4)) STORED,
	"environment" text GENERATED ALWAYS AS (split_part(spec->>'environment', '/', 4)) STORED,
	"allow_parallel_tasks" boolean GENERATED ALWAYS AS (coalesce((spec->>'allowParallelTasks')::boolean, false)) STORED NOT NULL,
	CONSTRAINT "templates_project_name_pk" PRIMARY KEY("project","name")
);
--> statement-breakpoint
ALTER TABLE "environments" ADD CONSTRAINT "environments_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "repositories" ADD CONSTRAINT "repositories_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_events" ADD CONSTRAINT "task_events_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "task_heads" ADD CONSTRAINT "task_heads_task_id_tasks_id_fk" FOREIGN KEY ("task_id") REFERENCES "public"."tasks"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "tasks" ADD CONSTRAINT "tasks_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "templates" ADD CONSTRAINT "templates_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "templates" ADD CONSTRAINT "templates_repository" FOREIGN KEY ("project","repository") REFERENCES "public"."repositories"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "templates" ADD CONSTRAINT "templates_environment" FOREIGN KEY ("project","environment") REFERENCES "public"."environments"("project","name") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "task_requests_create_time" ON "task_requests" USING btree ("create_time");--> statement-breakpoint
CREATE INDEX "tasks_project" ON "tasks" USING btree ("project","id");--> statement-breakpoint
CREATE INDEX "tasks_template" ON "tasks" USING btree ("project","template","id");--> statement-breakpoint
CREATE INDEX "tasks_waiting" ON "tasks" USING btree ("project","template","priority" DESC NULLS LAST,"id") WHERE "tasks"."status" = 'WAITING';--> statement-breakpoint
CREATE INDEX "tasks_queue_deadline" ON "tasks" USING btree ("queue_deadline") WHERE "tasks"."status" = 'WAITING';--> statement-breakpoint
CREATE INDEX "tasks_active" ON "tasks" USING btree ("project","template") WHERE "tasks"."status" IN ('STARTING', 'RUNNING', 'CONFIRMED', 'REJECTED', 'STOPPING', 'WAITING_CONFIRMATION');--> statement-breakpoint
CREATE INDEX "tasks_owned_by" ON "tasks" USING btree ("node","lease_expires") WHERE "tasks"."status" IN ('STARTING', 'RUNNING', 'CONFIRMED', 'REJECTED', 'STOPPING');
--> statement-breakpoint
-- A UUIDv7 (RFC 9562, method 3: microseconds in rand_a) from database time, so that ids sort as tasks were made.
CREATE FUNCTION "uuid_v7"("at" timestamptz) RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(
    substring(int8send(us / 1000) FROM 3)
      || int2send((28672 | (us % 1000 * 4096 / 1000))::int2)
      || substring(uuid_send(gen_random_uuid()) FROM 9), 'hex')::uuid
  FROM (SELECT floor(extract(epoch FROM "at") * 1000000)::bigint AS us) AS t
$$;
--> statement-breakpoint
-- The smallest UUIDv7 of a moment: the bound of a partition.
CREATE FUNCTION "uuid_v7_floor"("at" timestamptz) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT encode(substring(int8send(floor(extract(epoch FROM "at") * 1000)::bigint) FROM 3)
    || decode('70008000000000000000', 'hex'), 'hex')::uuid
$$;
