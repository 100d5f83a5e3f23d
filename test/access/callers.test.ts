import { afterEach, describe, expect, test } from "vitest";
import { type Callers, createCallers } from "../../src/access/callers.ts";
import { tokenHash } from "../../src/access/token-text.ts";
import type { ValidToken } from "../../src/store/accounts/tokens.ts";

const text = (n: number) => `sgm_${String(n).padStart(43, "0")}`;
const hashOf = (n: number) => tokenHash(text(n)).toString("base64");
const token = (n: number, more: Partial<ValidToken> = {}): ValidToken => ({
  hash: hashOf(n),
  account: `a${n}`,
  leftMs: 60_000,
  grants: [{ roles: ["VIEWER"], project: null, template: null }],
  ...more,
});

let open: Callers | undefined;
afterEach(() => open?.[Symbol.asyncDispose]());

/** Creates callers over a list of valid tokens, and records their queries. */
function callersOf(valid: ValidToken[], everyMs = 3_600_000) {
  const questions: string[][] = [];
  const uses: string[][] = [];
  let problem: Error | undefined;
  open = createCallers({
    async findTokens(hashes) {
      questions.push([...hashes]);
      if (problem) throw problem;
      return valid.filter(({ hash }) => hashes.includes(hash));
    },
    async recordUse(hashes) {
      uses.push([...hashes]);
    },
    everyMs,
  });
  return {
    callers: open,
    questions,
    uses,
    fails(error: Error | undefined) {
      problem = error;
    },
  };
}

describe("a token", () => {
  test("is looked up once, and is known from then on", async () => {
    const { callers, questions } = callersOf([token(1)]);
    const [first, twin] = await Promise.all([callers.verify(text(1)), callers.verify(text(1))]);
    expect(first).toMatchObject({ kind: "account", name: "accounts/a1" });
    expect(twin).toBe(first);
    expect(await callers.verify(text(1))).toBe(first);
    expect(questions).toEqual([[hashOf(1)]]);
  });

  test("in a form that no account's token has costs no query", async () => {
    const { callers, questions } = callersOf([]);
    for (const wrong of [
      "",
      "sgm_",
      `sgm_${"x".repeat(42)}`,
      `sgm_${"x".repeat(44)}`,
      `sgm_${"é".repeat(43)}`,
    ])
      expect(await callers.verify(wrong)).toBeUndefined();
    expect(questions).toEqual([]);
  });

  test("that is unknown is looked up in one query with others that wait", async () => {
    const { callers, questions } = callersOf([token(7)]);
    const answers = await Promise.all(Array.from({ length: 500 }, (_, n) => callers.verify(text(n))));
    expect(answers.filter(Boolean)).toHaveLength(1);
    expect(questions.length).toBe(2);
    expect(questions.flat()).toHaveLength(500);
  });

  test("is refused after its expiry", async () => {
    const valid = [token(1, { leftMs: 0 })];
    const { callers } = callersOf(valid);
    expect(await callers.verify(text(1))).toBeDefined();
    valid.length = 0;
    expect(await callers.verify(text(1))).toBeUndefined();
  });

  test("is neither accepted nor refused while the database is away", async () => {
    const { callers, fails } = callersOf([token(1)]);
    fails(new Error("away"));
    await expect(callers.verify(text(1))).rejects.toThrow("away");
    fails(undefined);
    expect(await callers.verify(text(1))).toMatchObject({ name: "accounts/a1" });
  });

  test("has its last use recorded", async () => {
    const { callers, uses } = callersOf([token(1)]);
    await callers.verify(text(1));
    await callers.verify(text(1));
    callers.changed();
    await expect.poll(() => uses.length).toBe(1);
    await callers.verify(text(1));
    callers.changed();
    callers.changed();
    expect(uses).toEqual([[hashOf(1)]]);
  });
});

describe("an observation", () => {
  test("ends when the token is revoked", async () => {
    const valid = [token(1)];
    const { callers } = callersOf(valid);
    const caller = await callers.verify(text(1));
    using observation = callers.observe(caller as never, () => true);
    expect(observation.signal.aborted).toBe(false);
    valid.length = 0;
    callers.changed();
    await expect.poll(() => observation.signal.reason).toMatchObject({ kind: "unauthenticated" });
    expect(await callers.verify(text(1))).toBeUndefined();
  });

  test("ends when its right is lost, and not by other changes", async () => {
    const valid = [token(1)];
    const { callers } = callersOf(valid);
    const caller = await callers.verify(text(1));
    using observation = callers.observe(caller as never, ({ grants }) => grants.length > 0);
    valid[0] = token(1, { grants: [{ roles: ["ADMIN"], project: null, template: null }] });
    callers.changed();
    await expect.poll(async () => (await callers.verify(text(1)))?.grants[0]?.roles).toEqual(["ADMIN"]);
    expect(observation.signal.aborted).toBe(false);
    valid[0] = token(1, { grants: [] });
    callers.changed();
    await expect.poll(() => observation.signal.reason).toMatchObject({ kind: "denied" });
  });

  test("ends when the token expires, also while the database is away", async () => {
    const { callers, fails } = callersOf([token(1, { leftMs: 1 })], 10);
    const caller = await callers.verify(text(1));
    fails(new Error("away"));
    using observation = callers.observe(caller as never, () => true);
    await expect.poll(() => observation.signal.reason).toMatchObject({ kind: "unauthenticated" });
  });

  test("of a token that was revoked meanwhile ends at once", async () => {
    const valid = [token(1)];
    const { callers } = callersOf(valid);
    const caller = await callers.verify(text(1));
    valid.length = 0;
    callers.changed();
    await expect.poll(() => callers.verify(text(1))).toBeUndefined();
    using observation = callers.observe(caller as never, () => true);
    expect(observation.signal.aborted).toBe(true);
  });
});
