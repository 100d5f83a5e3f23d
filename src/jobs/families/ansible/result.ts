import { create, type JsonObject, toJson } from "@bufbuild/protobuf";
import { z } from "zod";
import { AnsibleResultSchema, TaskResultSchema } from "../../../../gen/signalman/v1/task_pb.ts";
import type { Owner } from "../../../files/owned.ts";
import { readRegular } from "../../../files/regular-file.ts";
import { maskOutputs, parseExactly } from "../outputs.ts";

const MAX_REPORT_BYTES = 64 * 1024 * 1024;
const MAX_FAILURES = 1000;
const MAX_MESSAGE = 4096;

const count = z.number().int().min(0).max(2_147_483_647);

/** Report that signalman_result.py writes. */
const reportSchema = z.object({
  hosts: z.array(
    z.object({
      host: z.string(),
      ok: count,
      changed: count,
      unreachable: count,
      failed: count,
      skipped: count,
      rescued: count,
      ignored: count,
    }),
  ),
  failures: z.array(
    z.object({
      host: z.string(),
      play: z.string(),
      task: z.string(),
      action: z.string(),
      message: z.string(),
      unreachable: z.boolean(),
      ignored: z.boolean(),
    }),
  ),
  outputs: z.record(z.string(), z.unknown()).default({}),
});

/**
 * Reads a playbook's report of hosts, failures and outputs as the proto3 JSON of a TaskResult, with secrets in texts masked.
 * undefined: there is no report, since the playbook was not played to its end.
 * @throws Error if the report does not have the expected form.
 */
export async function playbookResult(
  { report, owner }: { report: string; owner?: Owner | undefined },
  mask: (text: string) => string,
): Promise<JsonObject | undefined> {
  const text = readRegular(report, { maxBytes: MAX_REPORT_BYTES, owner });
  if (text === undefined) return undefined;
  const { hosts, failures, outputs } = reportSchema.parse(parseExactly(text.toString("utf8")));
  const named = hosts.map((recap) => ({ ...recap, host: mask(recap.host) }));
  const masked = failures.slice(0, MAX_FAILURES).map((failure) => ({
    ...failure,
    host: mask(failure.host),
    play: mask(failure.play),
    task: mask(failure.task),
    action: mask(failure.action),
    message: [...mask(failure.message)].slice(0, MAX_MESSAGE).join(""),
  }));
  const value = create(AnsibleResultSchema, { hosts: named, failures: masked });
  return toJson(
    TaskResultSchema,
    create(TaskResultSchema, { app: { case: "ansible", value }, outputs: maskOutputs(outputs, mask) }),
  ) as JsonObject;
}
