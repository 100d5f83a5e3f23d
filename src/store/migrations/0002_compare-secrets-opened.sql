ALTER TABLE "access_keys" DROP COLUMN "secrets_hash";--> statement-breakpoint
ALTER TABLE "environments" DROP COLUMN "secrets_hash";