import { appendFileSync, statSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { backlog, keepBackpressure, shouldHold, unreadBytes } from "../../src/process/backpressure.ts";
import { punch } from "../../src/process/punch.ts";
import { tailSpool } from "../../src/process/tail.ts";
import { expectNoProcessLeft, fixture, newTask, program, type Task } from "./harness.ts";

expectNoProcessLeft();

const forever = new AbortController().signal;

function spoolOf(task: Task, stdout: string | Buffer, stderr = "") {
  writeFileSync(`${task.folder}/out`, stdout);
  writeFileSync(`${task.folder}/err`, stderr);
  return { folder: task.folder, from: { stdout: 0, stderr: 0 }, ended: Promise.resolve(), signal: forever };
}

test("The tail of a running process is its output, byte for byte, with offsets without gaps", async () => {
  const task = newTask();
  const started = await task.start(program("alternate.py", 20_000));
  const read = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  const at = { stdout: 0, stderr: 0 };
  const { folder } = task;
  for await (const { stream, bytes, offset } of tailSpool({
    folder,
    from: at,
    ended: started.ended,
    signal: forever,
  })) {
    expect(offset).toBe(at[stream]);
    at[stream] += bytes.length;
    read[stream].push(Buffer.from(bytes));
  }
  expect(Buffer.concat(read.stdout)).toEqual(task.bytes("stdout"));
  expect(Buffer.concat(read.stderr)).toEqual(task.bytes("stderr"));
  expect(at).toEqual({ stdout: 188_890, stderr: 188_890 });
});

test("The tail begins at the offsets it is given", async () => {
  const options = { ...spoolOf(newTask(), "0123456789", "abcdef"), from: { stdout: 8, stderr: 6 } };
  const read = await Array.fromAsync(tailSpool(options), ({ stream, bytes, offset }) => [
    stream,
    `${bytes}`,
    offset,
  ]);
  expect(read).toEqual([["stdout", "89", 8]]);
});

test("The tail reads both streams in turn", async () => {
  const options = spoolOf(newTask(), Buffer.alloc(600_000), "x".repeat(600_000));
  const order = await Array.fromAsync(tailSpool(options), ({ stream }) => stream);
  expect(order).toEqual(["stdout", "stderr", "stdout", "stderr", "stdout", "stderr", "stdout"]);
});

test("The tail waits for the end and reads the last write", async () => {
  const task = newTask();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const tail = tailSpool({ ...spoolOf(task, "one"), ended });
  expect(`${(await tail.next()).value?.bytes}`).toBe("one");
  const next = tail.next();
  appendFileSync(`${task.folder}/out`, "two");
  expect(`${(await next).value?.bytes}`).toBe("two");
  const last = tail.next();
  end();
  expect((await last).done).toBe(true);
});

test("An abort ends a tail that waits", async () => {
  const stop = new AbortController();
  const tail = tailSpool({ ...spoolOf(newTask(), ""), ended: new Promise(() => {}), signal: stop.signal });
  const next = tail.next();
  stop.abort();
  expect((await next).done).toBe(true);
});

test("Writers are held above 64 MiB of unread bytes and go on below 16 MiB", () => {
  expect(shouldHold(false, backlog.hold)).toBe(false);
  expect(shouldHold(false, backlog.hold + 1)).toBe(true);
  expect(shouldHold(true, backlog.letGo)).toBe(true);
  expect(shouldHold(true, backlog.letGo - 1)).toBe(false);
});

test("Unread bytes are those beyond the offsets, in both streams", () => {
  const { folder } = spoolOf(newTask(), "0123456789", "abcdef");
  expect(unreadBytes(folder, { stdout: 4, stderr: 6 })).toBe(6);
});

test("A reader that is stuck holds a fast writer back, and gets all bytes when it goes on", async () => {
  const task = newTask();
  const { folder } = task;
  const bytes = fixture("bytes.py");
  const script = `${bytes} block 100 1000000; until [ -e "$0" ]; do sleep 0.01; done; exec ${bytes} block 300 1000000`;
  const started = await task.start(program("bash", "-c", script, `${folder}/go`));
  const read = { stdout: 0, stderr: 0 };
  const events: string[] = [];
  const { promise: held, resolve } = Promise.withResolvers<void>();
  const pumps = {
    pause: () => {
      events.push("pause");
      started.pause();
      resolve();
    },
    resume: () => {
      events.push("resume");
      started.resume();
    },
  };
  using _ = keepBackpressure({ folder, pumps, read: () => read });
  await held;
  writeFileSync(`${folder}/go`, "");
  expect(statSync(`${folder}/out`).size).toBeLessThanOrEqual(100_000_000);
  for await (const { stream, bytes } of tailSpool({
    folder,
    from: read,
    ended: started.ended,
    signal: forever,
  })) {
    read[stream] += bytes.length;
  }
  expect(read.stdout).toBe(400_000_000);
  expect(events.slice(0, 2)).toEqual(["pause", "resume"]);
});

test("A punch frees the disk space of committed bytes and moves no offset", async () => {
  const task = newTask();
  const size = 40 * 1024 * 1024;
  const { folder } = spoolOf(task, Buffer.alloc(size, "x"));
  await punch(folder, { stdout: 8 * 1024 * 1024, stderr: 0 });
  expect(statSync(`${folder}/out`).blocks * 512).toBeGreaterThanOrEqual(size);
  await punch(folder, { stdout: 32 * 1024 * 1024, stderr: 0 });
  const stat = statSync(`${folder}/out`);
  expect(stat.size).toBe(size);
  expect(stat.blocks * 512).toBeLessThanOrEqual(9 * 1024 * 1024);
  expect(task.bytes().subarray(32 * 1024 * 1024)).toEqual(Buffer.alloc(8 * 1024 * 1024, "x"));
});
