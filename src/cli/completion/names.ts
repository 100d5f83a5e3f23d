import { connectSignalman, DEFAULT_SERVER, type Signalman } from "../../client/connect.ts";
import { shortName } from "../input/names.ts";
import { localRoute } from "../local-route.ts";
import { statusWord } from "../terminal/status.ts";
import type { Candidate } from "./candidate.ts";
import type { ServerWords } from "./place.ts";

const PAGE = { pageSize: 1000 };
const TASKS = 50;

type Lister = (client: Signalman, prefix: string, timeoutMs: number) => Promise<Candidate[]>;

/** Listers of names by the placeholder of an argument or option: `task` for `<task>`. */
const LISTERS: Readonly<Record<string, Lister>> = {
  project: async (client, _, timeoutMs) => {
    const { projects } = await client.projects.listProjects(PAGE, { timeoutMs });
    return projects.map(({ name, description }) => ({ text: lastPart(name), hint: description }));
  },
  template: (client, prefix, timeoutMs) =>
    within(client, prefix, timeoutMs, async (parent) => {
      const { templates } = await client.templates.listTemplates({ parent, ...PAGE }, { timeoutMs });
      return templates.map(({ name, description }) => ({ text: shortName(name), hint: description }));
    }),
  task: async (client, prefix, timeoutMs) => {
    const parent = projectIn(prefix) ?? "projects/-";
    const { tasks } = await client.tasks.listTasks({ parent, pageSize: TASKS }, { timeoutMs });
    return tasks.map(({ name, template, status, message }) => ({
      text: shortName(name),
      hint: [shortName(template), statusWord(status), message].filter(Boolean).join(" "),
    }));
  },
};

/** Returns names from the server; none if it does not answer within `patienceMs`. */
export async function namesFor(
  kind: string,
  prefix: string,
  words: ServerWords,
  patienceMs: number,
): Promise<Candidate[]> {
  const lister = Object.hasOwn(LISTERS, kind) ? LISTERS[kind] : undefined;
  if (!lister) return [];
  const server = words.server || process.env.SIGNALMAN_SERVER || undefined;
  const token = words.token || process.env.SIGNALMAN_TOKEN || undefined;
  const { dial } = localRoute(server ?? DEFAULT_SERVER);
  using client = connectSignalman({ server, token, dial });
  const late = AbortSignal.timeout(patienceMs);
  const gaveUp = new Promise<Candidate[]>((resolve) => late.addEventListener("abort", () => resolve([])));
  return await Promise.race([lister(client, prefix, patienceMs), gaveUp]);
}

/** Lists names in the project that the prefix names (`demo/`); without one, the projects, each with a slash after it. */
async function within(
  client: Signalman,
  prefix: string,
  timeoutMs: number,
  list: (parent: string) => Promise<Candidate[]>,
): Promise<Candidate[]> {
  const parent = projectIn(prefix);
  if (parent) return list(parent);
  const { projects } = await client.projects.listProjects(PAGE, { timeoutMs });
  return projects.map(({ name, description }) => ({ text: `${lastPart(name)}/`, hint: description }));
}

function projectIn(prefix: string): string | undefined {
  const [project, ...rest] = prefix.split("/");
  return rest.length > 0 ? `projects/${project}` : undefined;
}

const lastPart = (name: string): string => name.split("/").at(-1) ?? "";
