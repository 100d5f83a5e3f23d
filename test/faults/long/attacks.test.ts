import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import http from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { applyDemo, runDemo, watchToEnd } from "../../support/demo.ts";
import { startService, type TestService } from "../../support/service.ts";
import { ATTACKS, HOLDS_STREAMS } from "./attacks.ts";

/*
 * Each attack of attacks.ts against a server of its own, by hand: its memory and the time in which it answers are measured.
 * Settings: ATTACK (part of a name), ATTACK_COLD=1 (no calls before the attack), ATTACK_MB, ATTACK_MS.
 */
const TOKEN = "0123456789abcdef";
const { ATTACK = "", ATTACK_COLD, ATTACK_MB = "50", ATTACK_MS = "1000" } = process.env;
const PROGRAM = fileURLToPath(new URL("./attacks.ts", import.meta.url));
/** An address that the attacker does not use: limits count each address by itself. */
const OTHER_ADDRESS = "127.0.0.2";
/** Ordinary calls after which code is compiled and the heap has grown to the size of a server in use. */
const WARM_UP = { tasks: 100, pages: 2000, calls: 3000 };

function rssMb({ process: { pid } }: TestService): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1]) / 1024;
}

function getHealth(url: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = http.get(`${url}/healthz`, { agent: false, localAddress: OTHER_ADDRESS }, (response) => {
      response.resume().once("end", () => resolve(response.statusCode ?? 0));
    });
    request.once("error", reject);
  });
}

async function warmUp(service: TestService): Promise<void> {
  const rounds = 100;
  const times = (count: number, call: () => Promise<unknown>) => Array.from({ length: count / rounds }, call);
  const call = () =>
    fetch(`${service.url}/signalman.v1.TaskService/ListTasks`, {
      method: "POST",
      headers: { "content-type": "application/json", authorization: `Bearer ${TOKEN}` },
      body: '{"parent":"projects/demo"}',
    }).then((answer) => answer.text());
  for (let round = 0; round < rounds; round++) {
    await Promise.all(
      times(WARM_UP.tasks, async () => watchToEnd(service, (await runDemo(service, "hello")).name)),
    );
    await Promise.all(times(WARM_UP.pages, () => getHealth(service.url)));
    await Promise.all(times(WARM_UP.calls, call));
  }
}

/** Asks for health until `over`; returns the longest time of an answer in milliseconds, and the highest memory. */
async function probe(
  service: TestService,
  over: Promise<unknown>,
): Promise<{ slowestMs: number; peakMb: number }> {
  let isOver = false;
  void over.finally(() => {
    isOver = true;
  });
  let slowestMs = 0;
  let peakMb = 0;
  while (!isOver) {
    const start = performance.now();
    expect(await getHealth(service.url)).toBe(200);
    slowestMs = Math.max(slowestMs, performance.now() - start);
    peakMb = Math.max(peakMb, rssMb(service));
    await delay(20);
  }
  return { slowestMs, peakMb };
}

const cases = Object.keys(ATTACKS)
  .filter((name) => name.includes(ATTACK))
  .flatMap((name) => [
    { name, who: "without a token", token: "" },
    { name, who: "with a token", token: TOKEN },
  ]);

test.each(cases)("$name $who", { timeout: 300_000 }, async ({ name, token, who }) => {
  await using service = await startService({ env: { SIGNALMAN_TOKEN: TOKEN } });
  await applyDemo(service, { hello: "echo done", silent: "sleep 1000000" });
  const { name: task } = await runDemo(service, "silent");
  if (ATTACK_COLD === undefined) await warmUp(service);
  const before = rssMb(service);
  const attacker = spawn(process.execPath, [PROGRAM, name, service.url, token, task], { stdio: "inherit" });
  const over = once(attacker, "exit");
  const health = probe(service, over);
  await watchToEnd(service, (await runDemo(service, "hello")).name);
  await over;
  const { slowestMs, peakMb } = await health;
  const after = rssMb(service);
  const row = [
    name,
    who,
    ...[before, peakMb, after].map((mb) => `${mb.toFixed(0)} MB`),
    `${slowestMs.toFixed(0)} ms`,
  ];
  process.stdout.write(`${row.join(" | ")}\n`);
  // Streams that a caller may open cost what they cost; their number is limited.
  if (!(token && HOLDS_STREAMS.has(name))) expect.soft(after - before).toBeLessThan(Number(ATTACK_MB));
  expect.soft(slowestMs).toBeLessThan(Number(ATTACK_MS));
});
