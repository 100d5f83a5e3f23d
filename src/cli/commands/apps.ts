import { styleText } from "node:util";
import type { Command } from "commander";
import { type App, AppSchema, type Isolation } from "../../../gen/signalman/v1/app_service_pb.ts";
import { withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { table, terminalWidth } from "../terminal/table.ts";

export function addApps(program: Command): void {
  program
    .command("apps")
    .description("list the apps: which of them the server can run, and why it cannot run the others")
    .action(
      withSession(async (session) => {
        const { apps, isolation } = await session.call((client, options) =>
          client.apps.listApps({}, options),
        );
        if (session.json) for (const app of apps) await print(jsonLine(AppSchema, app));
        else for (const line of [...appTable(apps), ...isolationLines(isolation)]) await print(line);
        return 0;
      }),
    );
}

/** Returns sentences that say how tasks are isolated; none for a server that runs no tasks, or an older one. */
function isolationLines({ mode, problem, users = [] }: Partial<Isolation> = {}): string[] {
  if (!mode) return [];
  const named = users.map(({ scope, user }) => `${printable(user)} (${printable(scope)})`);
  return [
    mode === "namespaces"
      ? "Tasks are isolated: each runs in namespaces of its own"
      : `Tasks are not isolated: ${printable(problem || "SIGNALMAN_ISOLATION is none")}`,
    ...(named.length > 0 ? [`Tasks run as the users ${named.join(", ")}`] : []),
  ];
}

/** Returns a table of apps and, below it, one uncut line for each app that does not work, with the reason. */
function appTable(apps: readonly App[]): string[] {
  const rows = apps.map(({ name, available, path, version }) => [
    name,
    available ? "yes" : "no",
    printable(version),
    path,
  ]);
  const style = (cell: string, row: number) =>
    styleText(apps[row]?.available ? "green" : "red", cell, { stream: process.stdout });
  const width = terminalWidth();
  const problems = apps.filter(({ available }) => !available);
  return [
    ...table(["APP", "WORKS", "VERSION", "PATH"], rows, { width, styles: { 1: style } }),
    ...problems.map(({ name, problem }) => `${name}: ${printable(problem)}`),
  ];
}
