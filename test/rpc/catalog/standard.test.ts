import type { JsonObject } from "@bufbuild/protobuf";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type InMemoryApi, startApi } from "../../support/in-memory.ts";
import { keyLike } from "../../support/private-key.ts";
import { invalid, refusal } from "../support.ts";
import { applier } from "./catalogs.ts";
import { KINDS, type KindName, standard } from "./kinds.ts";

let service: InMemoryApi;
beforeAll(async () => {
  service = await startApi();
  await applier(service).apply({ project: { name: "p" }, repositories: [{ name: "base", url: "/srv" }] });
});
afterAll(() => service[Symbol.asyncDispose]());

const kinds = Object.keys(KINDS) as KindName[];
const fieldOf = (kind: KindName) => KINDS[kind].one.replace(/(?!^)[A-Z]/g, "_$&").toLowerCase();

describe.each(kinds)("%s", (kind) => {
  const right: JsonObject = KINDS[kind].right;
  const methods = () => standard(service, kind);
  const nameOf = (id: string) => (kind === "projects" ? `projects/${id}` : `projects/p/${kind}/${id}`);
  const make = (id: string, more: JsonObject = {}) =>
    methods().create("projects/p", id, { ...right, ...more });

  test("are created once, and read back as Create returned them, with name, etag and times", async () => {
    const made = await make("made", { description: "one", name: "passed over", etag: "passed over" });
    expect(made).toMatchObject({ name: nameOf("made"), description: "one" });
    expect(made.etag).toMatch(/^"1-/);
    expect(made.createTime).toBe(made.updateTime);
    expect(await methods().get(nameOf("made"))).toEqual(made);
    expect(await refusal(make("made"))).toEqual({
      code: "AlreadyExists",
      reason: "RESOURCE_ALREADY_EXISTS",
      fields: [],
    });
  });

  if (kind !== "projects") {
    test("are not created in a project that does not exist", async () => {
      const making = methods().create("projects/none", "x", right);
      expect(await refusal(making)).toMatchObject({ code: "NotFound" });
    });
  }

  test("are created once if two calls create the same name at the same moment", async () => {
    const tries = await Promise.allSettled([make("twin"), make("twin"), make("twin")]);
    expect(tries.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("are listed over three pages, each once, while others are created", async () => {
    for (const id of ["l1", "l2", "l3", "l4", "l5"]) await make(id);
    const seen: string[] = [];
    let next = "";
    for (let page = 0; page < 100; page++) {
      const found = await methods().list("projects/p", { pageSize: 2, pageToken: next });
      seen.push(...found.names);
      await make(`l2-${page}`);
      next = found.next;
      if (next === "") break;
    }
    expect(seen).toEqual([...new Set(seen)].sort());
    expect(seen).toEqual(expect.arrayContaining(["l1", "l2", "l3", "l4", "l5"].map(nameOf)));
    expect(seen.length).toBeGreaterThan(4);
  });

  test("are updated in the fields that the mask names, and without a mask in those that are not empty", async () => {
    const name = nameOf("masked");
    const made = await make("masked", { description: "before" });
    const same = await methods().update({ name });
    expect(same).toEqual(made);
    const passed = await methods().update({ name, etag: made.etag as string, description: "after" });
    expect(passed).toMatchObject({ ...right, ...readable(made), description: "after" });
    expect(passed.etag).not.toBe(made.etag);
    expect(passed.createTime).toBe(made.createTime);
    expect((await methods().update({ name }, "description")).description).toBeUndefined();
    const whole = await methods().update({ ...right, name, description: "whole" }, "*");
    expect(whole.description).toBe("whole");
    expect(await methods().get(name)).toEqual(whole);
  });

  test("are not updated with a mask of unknown fields or an outdated etag", async () => {
    const name = nameOf("stale");
    const { etag } = await make("stale");
    for (const path of ["none", "description.none", "createTime.seconds"])
      expect(await refusal(methods().update({ name }, path))).toEqual(invalid("update_mask"));
    await methods().update({ name, description: "moved on" });
    const stale = { code: "Aborted", reason: "ETAG_MISMATCH", fields: [] };
    const late = { name, etag: etag as string, description: "late" };
    expect(await refusal(methods().update(late))).toEqual(stale);
    expect(await refusal(methods().delete(name, { etag: etag as string }))).toEqual(stale);
    expect((await methods().get(name)).description).toBe("moved on");
  });

  test("are updated by one only of several callers that have read the same etag", async () => {
    const name = nameOf("raced");
    const etag = (await make("raced")).etag as string;
    const tries = ["a", "b", "c", "d"].map((description) => methods().update({ name, etag, description }));
    const results = await Promise.allSettled(tries);
    const [winner, ...more] = results.filter((result) => result.status === "fulfilled");
    expect(more).toEqual([]);
    expect(await methods().get(name)).toEqual(winner?.value);
    for (const lost of tries.filter((_, at) => results[at] !== winner))
      expect(await refusal(lost)).toMatchObject({ code: "Aborted", reason: "ETAG_MISMATCH" });
  });

  test("are validated after the update, by all rules", async () => {
    const name = nameOf("judged");
    await make("judged", { description: "fine" });
    const long = { name, description: "é".repeat(1001) };
    const refused = invalid(`${fieldOf(kind)}.description`);
    expect(await refusal(methods().update(long, "description"))).toEqual(refused);
    expect(await refusal(methods().update(long))).toEqual(refused);
    expect(await refusal(methods().update({ name: nameOf("none") }))).toMatchObject({ code: "NotFound" });
  });

  test("are deleted, and then answer NOT_FOUND", async () => {
    const name = nameOf("gone");
    const { etag } = await make("gone");
    await methods().delete(name, { etag: etag as string });
    expect(await refusal(methods().get(name))).toMatchObject({ code: "NotFound" });
    expect(await refusal(methods().delete(name))).toMatchObject({ code: "NotFound" });
    expect((await make("gone")).etag).not.toBe(etag);
  });
});

/** Fields of a response that a change of the description leaves unchanged. */
function readable({ etag: _, updateTime: __, ...rest }: JsonObject): JsonObject {
  return rest;
}

describe("secrets of an access key", () => {
  const name = "projects/p/accessKeys/updated";
  test("are kept by an update that leaves them empty, and required if none are stored", async () => {
    const keys = standard(service, "accessKeys");
    await keys.create("projects/p", "updated", {
      ssh: { login: "a", privateKey: keyLike("secret"), passphrase: "opens" },
    });
    expect((await keys.update({ name, ssh: { login: "b" } })).ssh).toEqual({ login: "b" });
    expect((await keys.update({ name, ssh: { login: "c" } }, "ssh.login")).ssh).toEqual({ login: "c" });
    expect(await refusal(keys.update({ name, text: {} }))).toEqual(invalid("access_key.text.value"));
    expect((await keys.update({ name, text: { value: "x" } })).ssh).toBeUndefined();
  });
});
