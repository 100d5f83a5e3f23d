// Writes a line for each task that ends: AUDIT_FILE=audit.jsonl signalman serve --hooks examples/hooks/audit.mjs
import { appendFile } from "node:fs/promises";

/** @type {import("signalman/hooks").Hook} */
export default {
  name: "audit",
  appliesTo: () => true,
  async after({ taskId, commit }, outcome, details) {
    const { status, reason } = outcome;
    const line = {
      time: new Date(),
      task: taskId,
      template: details?.template.name,
      commit: commit.hash,
      status,
      reason,
    };
    await appendFile(process.env.AUDIT_FILE ?? "audit.jsonl", `${JSON.stringify(line)}\n`);
    return outcome;
  },
};
