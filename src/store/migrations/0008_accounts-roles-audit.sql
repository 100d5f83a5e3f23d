CREATE TABLE "accounts" (
	"name" text PRIMARY KEY NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "tokens" (
	"account" text NOT NULL,
	"name" text NOT NULL,
	"hash" "bytea" NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"expire_time" timestamp (6) with time zone NOT NULL,
	"revoke_time" timestamp (6) with time zone,
	"last_use_time" timestamp (6) with time zone,
	CONSTRAINT "tokens_account_name_pk" PRIMARY KEY("account","name"),
	CONSTRAINT "tokens_hash_unique" UNIQUE("hash")
);
--> statement-breakpoint
CREATE TABLE "audit_events" (
	"id" uuid PRIMARY KEY NOT NULL,
	"time" timestamp (6) with time zone NOT NULL,
	"keep_until" timestamp (6) with time zone NOT NULL,
	"caller" text NOT NULL,
	"address" text NOT NULL,
	"method" text NOT NULL,
	"resource" text NOT NULL,
	"project" text NOT NULL,
	"fields" jsonb NOT NULL,
	"outcome" text NOT NULL,
	"reason" text NOT NULL,
	"request_id" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "role_bindings" (
	"project" text NOT NULL,
	"name" text NOT NULL,
	"spec" jsonb NOT NULL,
	"revision" bigint DEFAULT 1 NOT NULL,
	"create_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"update_time" timestamp (6) with time zone DEFAULT now() NOT NULL,
	"account" text GENERATED ALWAYS AS (split_part(spec->>'account', '/', 2)) STORED NOT NULL,
	"template" text GENERATED ALWAYS AS (split_part(spec->>'template', '/', 4)) STORED,
	CONSTRAINT "role_bindings_project_name_pk" PRIMARY KEY("project","name")
);
--> statement-breakpoint
ALTER TABLE "tokens" ADD CONSTRAINT "tokens_account_accounts_name_fk" FOREIGN KEY ("account") REFERENCES "public"."accounts"("name") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "role_bindings" ADD CONSTRAINT "role_bindings_project_projects_name_fk" FOREIGN KEY ("project") REFERENCES "public"."projects"("name") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "role_bindings" ADD CONSTRAINT "role_bindings_account" FOREIGN KEY ("account") REFERENCES "public"."accounts"("name") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "role_bindings" ADD CONSTRAINT "role_bindings_template" FOREIGN KEY ("project","template") REFERENCES "public"."templates"("project","name") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "audit_events_project" ON "audit_events" USING btree ("project","id");--> statement-breakpoint
CREATE INDEX "audit_events_caller" ON "audit_events" USING btree ("caller","id");--> statement-breakpoint
CREATE INDEX "audit_events_keep_until" ON "audit_events" USING brin ("keep_until");--> statement-breakpoint
CREATE INDEX "role_bindings_of_account" ON "role_bindings" USING btree ("account");--> statement-breakpoint
-- Tells all servers, at the commit, that rights may have changed (store/postgres/bus.ts): no node, the flag "a", no tasks.
CREATE FUNCTION "notify_access"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_notify('signalman', ',a');
  RETURN NULL;
END $$;
--> statement-breakpoint
CREATE TRIGGER "accounts_notify" AFTER UPDATE OR DELETE ON "accounts" FOR EACH STATEMENT EXECUTE FUNCTION notify_access();
--> statement-breakpoint
CREATE TRIGGER "tokens_notify" AFTER UPDATE OF "revoke_time", "expire_time" OR DELETE ON "tokens" FOR EACH STATEMENT EXECUTE FUNCTION notify_access();
--> statement-breakpoint
CREATE TRIGGER "role_bindings_notify" AFTER INSERT OR UPDATE OR DELETE ON "role_bindings" FOR EACH STATEMENT EXECUTE FUNCTION notify_access();
--> statement-breakpoint
-- Audit events are written once. Each says how long it is kept.
CREATE FUNCTION "guard_audit"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    IF OLD.keep_until <= now() THEN
      RETURN OLD;
    END IF;
    RAISE EXCEPTION 'audit event % is kept until %', OLD.id, OLD.keep_until USING ERRCODE = 'restrict_violation';
  END IF;
  RAISE EXCEPTION 'audit events are never changed; % refused', TG_OP USING ERRCODE = 'restrict_violation';
END $$;
--> statement-breakpoint
CREATE TRIGGER "audit_events_guard" BEFORE UPDATE OR DELETE ON "audit_events" FOR EACH ROW EXECUTE FUNCTION guard_audit();
--> statement-breakpoint
CREATE TRIGGER "audit_events_guard_all" BEFORE TRUNCATE ON "audit_events" FOR EACH STATEMENT EXECUTE FUNCTION guard_audit();
