import { closeSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import process from "node:process";

/** Fields of /proc/self/stat after the name of the program (proc(5)): where the initial environment begins and ends. */
const ENV_START = 47;
const ENV_END = 48;

/**
 * Removes variables from the environment, and their values from the memory in which this process got them, which
 * /proc/PID/environ shows as long as it lives. Where there is no /proc, the values stay there.
 */
export function wipeEnvironment(names) {
  for (const name of names) delete process.env[name];
  try {
    const fields = readFileSync("/proc/self/stat", "latin1").split(") ").at(-1).split(" ").map(Number);
    const memory = openSync("/proc/self/mem", "r+");
    const start = fields[ENV_START];
    const environment = Buffer.alloc(fields[ENV_END] - start);
    readSync(memory, environment, 0, environment.length, start);
    for (const name of names) {
      // A NUL ends the variable before it, or the last argument.
      const value = `\0${environment.toString("latin1")}`.indexOf(`\0${name}=`) + name.length + 1;
      if (value <= name.length) continue;
      const end = environment.indexOf(0, value);
      writeSync(memory, Buffer.alloc(end - value), 0, end - value, start + value);
    }
    closeSync(memory);
  } catch {}
}
