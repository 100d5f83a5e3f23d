import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Caller } from "../../../src/task/caller.ts";
import { type Grant, ROLES, type Role } from "../../../src/task/roles.ts";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { verdictOf } from "./oracle.ts";
import { casesOf, decisionOn, makeWorld, SERVICES, type World } from "./requests.ts";

let api: InMemoryApi;
let world: World;
beforeAll(async () => {
  api = await startApi();
  world = await makeWorld(api);
});
afterAll(() => api[Symbol.asyncDispose]());

const NAME = "accounts/me";
const caller = (...grants: Grant[]): Caller => ({ kind: "account", name: NAME, grants });
const PLACES = [
  { project: null, template: null },
  { project: "p", template: null },
  { project: "p", template: "t" },
];

describe.each([
  ["no role", caller({ roles: [], project: null, template: null })] as const,
  ...(Object.keys(ROLES) as Role[]).flatMap((role) =>
    PLACES.map(
      (place) =>
        [
          `${role} on ${place.template ?? place.project ?? "everything"}`,
          caller({ roles: [role], ...place }),
        ] as const,
    ),
  ),
])("%s", (_, who) => {
  test("may call exactly the methods that the table of permissions allows, on every resource", async () => {
    for (const method of SERVICES.flatMap((service) => service.methods)) {
      for (const one of casesOf(method, world)) {
        const expected = verdictOf(method.localName, NAME, who.grants, one.target);
        const what = `${method.name} on ${JSON.stringify(one.target)}`;
        expect(`${what}: ${await decisionOn(api, who, one)}`).toBe(`${what}: ${expected}`);
      }
    }
  });
});
