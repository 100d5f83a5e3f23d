import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { expectNoProcessLeft, newTask, program } from "./harness.ts";

expectNoProcessLeft();

test("Writes that open /dev/stderr are appended in order", async () => {
  const task = newTask();
  await (await task.start(program("stderr-by-name.sh"))).ended;
  expect(task.text("stderr")).toBe("first\nsecond\nthird\n");
  expect(task.text("stdout")).toBe("out\n");
});

test("64 MB without a newline arrive complete", async () => {
  const task = newTask();
  await (await task.start(program("bytes.py", "block", 64, 1_000_000))).ended;
  const hash = (data: Buffer) => createHash("sha1").update(data).digest("hex");
  expect(hash(task.bytes())).toBe(hash(Buffer.alloc(64_000_000, "x")));
});

test("NUL bytes and invalid UTF-8 arrive unchanged", async () => {
  const task = newTask();
  await (await task.start(program("bytes.py", "binary"))).ended;
  const all = Buffer.from(Array.from({ length: 4096 }, (_, i) => i % 256));
  expect(task.bytes()).toEqual(Buffer.concat([all, Buffer.from([0xff, 0xfe, 0, 0xc3])]));
});

test("Both streams arrive complete when writes alternate", async () => {
  const task = newTask();
  await (await task.start(program("alternate.py", 5000))).ended;
  const lines = (word: string) => Array.from({ length: 5000 }, (_, i) => `${word} ${i}\n`).join("");
  expect(task.text("stdout")).toBe(lines("out"));
  expect(task.text("stderr")).toBe(lines("err"));
});

test("Output that a process substitution writes after the leader's end arrives", async () => {
  const task = newTask();
  expect(await (await task.start(program("tee.sh"))).ended).toEqual({ kind: "code", code: 0 });
  expect(task.text()).toBe(Array.from({ length: 10 }, (_, i) => `line ${i + 1}\n`).join(""));
});

test("A background child that goes on writing is ended after a grace period, and the exit is the leader's", async () => {
  const task = newTask();
  const started = await task.start(program("background-writer.sh"));
  expect(await started.ended).toEqual({ kind: "code", code: 3 });
  expect(task.text()).toMatch(/^(done\n|tick\n)+$/);
});
