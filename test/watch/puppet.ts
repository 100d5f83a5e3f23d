import { execFileSync } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RunTaskRequestSchema } from "../../gen/signalman/v1/task_service_pb.ts";
import { runDemo } from "../support/demo.ts";
import type { TestService } from "../support/service.ts";

/** A script for applyDemo that executes the commands which the test sends over a pipe, line by line. */
export const PUPPET = 'exec 3<>"$STRINGS"; while read -r line <&3; do eval "$line"; done';

/** A task that waits for commands. */
export interface Puppet {
  readonly name: string;
  /** Sends a command to its shell. The command has run when its output has arrived. */
  do(command: string): Promise<void>;
}

/** Runs a template whose script is PUPPET. */
export async function runPuppet(
  service: TestService,
  template: string,
  request: MessageInitShape<typeof RunTaskRequestSchema> = {},
): Promise<Puppet> {
  const folder = join(service.dataDir, "puppets");
  mkdirSync(folder, { recursive: true });
  const pipe = join(folder, randomUUID());
  execFileSync("mkfifo", [pipe]);
  const { name } = await runDemo(service, template, { ...request, env: { ...request.env, STRINGS: pipe } });
  return { name, do: (command) => writeFile(pipe, `${command}\n`) };
}
