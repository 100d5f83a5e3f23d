import { create, toJsonString } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ErrorInfoSchema, ResourceInfoSchema } from "../../../gen/google/rpc/error_details_pb.ts";
import { ProjectService } from "../../../gen/signalman/v1/project_pb.ts";
import { RepositoryService } from "../../../gen/signalman/v1/repository_pb.ts";
import { TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import { TemplateService } from "../../../gen/signalman/v1/template_pb.ts";
import type { Caller } from "../../../src/task/caller.ts";
import { type Grant, ROLES, type Role } from "../../../src/task/roles.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { verdictOf } from "./oracle.ts";
import {
  type Case,
  casesOf,
  decisionOn,
  makeWorld,
  PROJECTS,
  SERVICES,
  TEMPLATES,
  type World,
} from "./requests.ts";

/*
 * Random requests of random callers, compared with the oracle. `ROLES_COUNT=10000 npx vitest run test/rpc/roles/random` makes
 * as many; `ROLES_SEED` repeats them.
 */
const COUNT = Number(process.env.ROLES_COUNT ?? 400);
const SEED = Number(process.env.ROLES_SEED ?? Math.floor(Math.random() * 2 ** 31));

let api: InMemoryApi;
let world: World;
let cases: Case[];
beforeAll(async () => {
  api = await startApi();
  world = await makeWorld(api);
  cases = SERVICES.flatMap((service) => service.methods.flatMap((method) => casesOf(method, world)));
});
afterAll(() => api[Symbol.asyncDispose]());

/** Returns numbers from 0 to below `n`, the same for the same seed (mulberry32). */
function dice(seed: number): (n: number) => number {
  let state = seed;
  return (n) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % n;
  };
}

function randomCaller(roll: (n: number) => number): Caller {
  const roles = Object.keys(ROLES) as Role[];
  const grants = Array.from({ length: roll(4) }, (): Grant => {
    const project = roll(8) === 0 ? null : (PROJECTS[roll(2)] ?? null);
    return {
      roles: Array.from({ length: roll(3) }, () => roles[roll(roles.length)] as Role),
      project,
      template: project !== null && roll(2) === 0 ? (TEMPLATES[roll(2)] ?? null) : null,
    };
  });
  return { kind: "account", name: "accounts/me", grants };
}

test(`${COUNT} random requests of random callers are decided as the table of permissions says`, async () => {
  console.log(`ROLES_SEED=${SEED}`);
  const roll = dice(SEED);
  for (let i = 0; i < COUNT; i++) {
    const who = randomCaller(roll);
    const one = cases[roll(cases.length)] as Case;
    const expected = verdictOf(one.method.localName, who.name, who.grants, one.target);
    const what = `${JSON.stringify(who.grants)} ${one.method.name} on ${JSON.stringify(one.target)}`;
    expect(`${what}: ${await decisionOn(api, who, one)}`).toBe(`${what}: ${expected}`);
  }
});

test("lists show exactly the resources that their caller may get", async () => {
  const roll = dice(SEED + 1);
  for (let i = 0; i < COUNT / 10; i++) {
    const who = randomCaller(roll);
    const client = api.as(who);
    const sees = (method: string, target: object) =>
      verdictOf(method, who.name, who.grants, target) === "allowed";
    const list = async (parent: string | undefined, names: () => Promise<string[]>) => {
      try {
        return (await names()).sort();
      } catch (error) {
        expect([Code.NotFound, Code.PermissionDenied], parent).toContain(ConnectError.from(error).code);
        return [];
      }
    };
    const named = (items: { name: string }[]) => items.map(({ name }) => name);
    expect(
      await list(undefined, async () => named((await client(ProjectService).listProjects({})).projects)),
    ).toEqual(
      PROJECTS.filter((project) => sees("getProject", { project })).map((project) => `projects/${project}`),
    );
    for (const project of PROJECTS) {
      const parent = `projects/${project}`;
      expect(
        await list(parent, async () =>
          named((await client(TemplateService).listTemplates({ parent })).templates),
        ),
      ).toEqual(
        TEMPLATES.filter((template) => sees("getTemplate", { project, template })).map(
          (template) => `${parent}/templates/${template}`,
        ),
      );
      expect(
        await list(parent, async () =>
          named((await client(RepositoryService).listRepositories({ parent })).repositories),
        ),
      ).toEqual(sees("getRepository", { project }) ? [`${parent}/repositories/x`] : []);
    }
    for (const parent of ["projects/-", "projects/p"]) {
      const wanted = world.tasks
        .filter(({ name, project }) => (parent.endsWith("-") || name.startsWith(`${parent}/`)) && project)
        .filter((task) => sees("getTask", task))
        .map(({ name }) => name)
        .sort();
      expect(
        await list(parent, async () => named((await client(TaskService).listTasks({ parent })).tasks)),
      ).toEqual(wanted);
      expect(await list(parent, () => watched(client(TaskService).watchTasks({ parent })))).toEqual(wanted);
    }
  }
});

/** Returns the names of the tasks in the snapshot of a watch. */
async function watched(
  stream: ReturnType<ReturnType<InMemoryApi["client"]>[never]> | AsyncIterable<unknown>,
) {
  const names: string[] = [];
  for await (const { event } of stream as AsyncIterable<{
    event: { case?: string; value?: { task?: { name: string } } };
  }>) {
    if (event.case !== "snapshot") return names;
    names.push(event.value?.task?.name ?? "");
  }
  return names;
}

test("a resource that a caller may not know of answers like one that does not exist", async () => {
  const who: Caller = {
    kind: "account",
    name: "accounts/me",
    grants: [{ roles: ["RUNNER"], project: "q", template: "t" }],
  };
  const elsewhere = (text: string) =>
    text
      .replaceAll("projects/p", "projects/z")
      .replaceAll('"name":"p"', '"name":"z"')
      .replaceAll("accounts/ci", "accounts/zz")
      .replaceAll(/[0-9a-f-]{36}/g, "01a20a8f-a03f-7f1e-aba5-29fd1ad73196");
  const errorOf = async ({ method, request }: Case) => {
    const client = api.as(who)(method.parent) as Record<string, (request: unknown) => unknown>;
    const answer = client[method.localName]?.(create(method.input, request as never));
    const thrown = await (method.methodKind === "server_streaming"
      ? Array.fromAsync(answer as AsyncIterable<unknown>)
      : (answer as Promise<unknown>)
    ).then(
      () => "passes",
      (error: unknown) => ConnectError.from(error),
    );
    if (typeof thrown === "string") return thrown;
    const details = [
      ...thrown.findDetails(ErrorInfoSchema).map((one) => toJsonString(ErrorInfoSchema, one)),
      ...thrown.findDetails(ResourceInfoSchema).map((one) => toJsonString(ResourceInfoSchema, one)),
    ];
    return `${thrown.code} ${thrown.rawMessage} ${details.join(" ")}`;
  };
  let hidden = 0;
  for (const one of cases) {
    if (verdictOf(one.method.localName, who.name, who.grants, one.target) !== "hidden") continue;
    hidden++;
    const request = JSON.parse(
      elsewhere(JSON.stringify(one.request, (_, v) => (typeof v === "bigint" ? Number(v) : v))),
    );
    const [there, nowhere] = [await errorOf(one), await errorOf({ ...one, request })];
    if (one.target.project !== "q") expect(nowhere, one.method.name).toBe(elsewhere(there));
    expect(there, one.method.name).toContain("There is no ");
  }
  expect(hidden).toBeGreaterThan(50);
});
