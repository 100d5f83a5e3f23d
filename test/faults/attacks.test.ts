import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { applyDemo, runDemo, watchToEnd } from "../support/demo.ts";
import { startService, type TestService } from "../support/service.ts";
import { ATTACKS } from "./attacks.ts";

const TOKEN = "0123456789abcdef";
const MOST_MB = Number(process.env.ATTACK_MB ?? 50);
const MOST_MS = Number(process.env.ATTACK_MS ?? 1000);
const PROGRAM = fileURLToPath(new URL("./attacks.ts", import.meta.url));
let service: TestService;
let task = "";
beforeAll(async () => {
  service = await startService({ env: { SIGNALMAN_TOKEN: TOKEN } });
  await applyDemo(service, { hello: "echo done", silent: "sleep 1000000" });
  task = (await runDemo(service, "silent")).name;
  if (process.env.ATTACK_COLD === undefined) await warmUp();
});
afterAll(() => service[Symbol.asyncDispose]());

function rssMb(): number {
  const status = readFileSync(`/proc/${service.process.pid}/status`, "utf8");
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
}

/** Ordinary calls, after which code is compiled and the heap has the size of a server in use. */
async function warmUp(): Promise<void> {
  for (let i = 0; i < 20; i++) {
    await Promise.all(
      Array.from({ length: 5 }, async () => watchToEnd(service, (await runDemo(service, "hello")).name)),
    );
    await Promise.all(
      Array.from({ length: 100 }, () => fetch(`${service.url}/healthz`).then((answer) => answer.text())),
    );
  }
}

/** Asks for health again and again until `over`; returns the longest time of an answer in milliseconds, and the highest memory. */
async function probe(over: Promise<unknown>): Promise<{ slowestMs: number; peakMb: number }> {
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  let slowestMs = 0;
  let peakMb = 0;
  while (!isOver) {
    const start = performance.now();
    expect((await fetch(`${service.url}/healthz`)).status).toBe(200);
    slowestMs = Math.max(slowestMs, performance.now() - start);
    peakMb = Math.max(peakMb, rssMb());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { slowestMs, peakMb };
}

const only = process.env.ATTACK;
const cases = Object.keys(ATTACKS)
  .filter((name) => only === undefined || name.includes(only))
  .flatMap((name) => [
    { name, who: "without a token", token: "" },
    { name, who: "with a token", token: TOKEN },
  ]);

test.each(cases)("$name $who", { timeout: 120_000 }, async ({ name, token, who }) => {
  const before = rssMb();
  const attacker = spawn(process.execPath, [PROGRAM, name, service.url, token, task], { stdio: "inherit" });
  const over = once(attacker, "exit");
  const health = probe(over);
  await watchToEnd(service, (await runDemo(service, "hello")).name);
  await over;
  const { slowestMs, peakMb } = await health;
  const after = rssMb();
  const row = [
    name,
    who,
    ...[before, peakMb, after].map((mb) => `${mb.toFixed(0)} MB`),
    `${slowestMs.toFixed(0)} ms`,
  ];
  process.stdout.write(`${row.join(" | ")}\n`);
  expect.soft(after - before).toBeLessThan(MOST_MB);
  expect.soft(slowestMs).toBeLessThan(MOST_MS);
});
