// Refuses deploys while a file exists: FREEZE_FILE=/run/freeze signalman serve --hooks examples/hooks/freeze.mjs
import { readFile } from "node:fs/promises";

const DEPLOY = 3; // TemplateType.DEPLOY

/** @type {import("signalman/hooks").Hook} */
export default {
  name: "freeze",
  appliesTo: () => true,
  async before({ say }, { template }) {
    if (template.type !== DEPLOY) return;
    const why = await readFile(process.env.FREEZE_FILE ?? "/run/freeze", "utf8").catch(() => undefined);
    if (why !== undefined) throw new Error(`deploys are frozen: ${why.trim()}`);
    say("Deploys are not frozen");
  },
};
