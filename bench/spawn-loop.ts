import { spawn } from "node:child_process";
import { once } from "node:events";
import { inParallel } from "./parallel.ts";

/** `spawn-loop.ts SCRIPT COUNT AT_ONCE` runs a script by bash COUNT times and prints the runs per second. */
const [script = "", count, atOnce] = process.argv.slice(2);
const start = performance.now();
await inParallel(Number(count), Number(atOnce), async () => {
  const child = spawn("bash", [script], { stdio: ["ignore", "pipe", "pipe"] });
  child.stdout.resume();
  child.stderr.resume();
  await once(child, "close");
});
console.log((Number(count) * 1000) / (performance.now() - start));
