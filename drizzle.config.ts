import { defineConfig } from "drizzle-kit";

export default defineConfig({
  dialect: "postgresql",
  schema: [
    "./src/store/schema/accounts.ts",
    "./src/store/schema/audit.ts",
    "./src/store/schema/nodes.ts",
    "./src/store/schema/resources.ts",
    "./src/store/schema/tasks.ts",
    "./src/store/schema/secret-key.ts",
  ],
  out: "./src/store/migrations",
});
