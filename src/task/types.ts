/*
 * The room task/ has the words that all other rooms share: types and constants, no state and no input or output.
 *
 * types.ts (this file) has the record of a task. status.ts lists the statuses with their transitions, and reasons.ts the
 * reasons of errors; SQL, contract, documents and tests read these tables. caller.ts and roles.ts say who calls and what a
 * role permits. errors.ts has the failures that a caller can understand, exit.ts the ways in which a program ends. limits.ts,
 * identifiers.ts and start-names.ts state what arguments and variables may be.
 */

import type { JsonObject } from "@bufbuild/protobuf";
import type { EndReason, Status } from "./status.ts";

/** Settings of RunTask's caller, as stored with the task. Secret values are stored apart, encrypted. */
export interface TaskSpec {
  message: string;
  variables: JsonObject;
  secretNames: string[];
  env: Record<string, string>;
  arguments: string[];
  gitBranch: string;
  commit: string;
  /** Last part of the inventory's name; absent: the template's inventory. */
  inventory?: string;
  /** Proto3 JSON of the app's settings in the request: AnsibleParams or TerraformParams. */
  ansible?: JsonObject;
  terraform?: JsonObject;
  /** The creator of the task may not confirm its plan. */
  confirmByOther?: true;
  /** Time limits in milliseconds; absent: none. */
  queueTimeoutMs?: number;
  confirmTimeoutMs?: number;
  runTimeoutMs?: number;
  idleTimeoutMs?: number;
}

/** A Terraform plan: its digest and the counts of its changes. */
export interface Plan {
  /** SHA-256 of the plan file, in hexadecimal digits. */
  digest: string;
  add: number;
  change: number;
  destroy: number;
}

/** End of a task: the contract's TaskEnd without its time. */
export interface TaskOutcome {
  status: Extract<Status, "SUCCESS" | "ERROR" | "STOPPED">;
  reason: EndReason | null;
  exitCode: number | null;
  signal: string | null;
  /** A sentence for users; empty for a plain success. */
  message: string;
}

/** The stored record of one task, without its log. Times are the database's. */
export interface TaskRecord {
  /** UUIDv7 from database time. */
  id: string;
  project: string;
  template: string;
  app: string;
  status: Status;
  priority: number;
  labels: Record<string, string>;
  spec: TaskSpec;
  /** Encrypted JSON object of the secret variables. */
  secrets: Buffer | null;
  /** Name of the caller who created the task (task/caller.ts); empty: an earlier release created it. */
  createdBy: string;
  createTime: Date;
  startTime: Date | null;
  queueDeadline: Date | null;
  runDeadline: Date | null;
  confirmDeadline: Date | null;
  plan: Plan | null;
  /** Name of the caller who confirmed or rejected the plan; empty: no caller did, or it was not recorded. */
  decidedBy: string;
  /** The version that a build makes; empty: none. */
  version: string;
  /** Id of the build whose version a deploy installs; null: the task deploys no build. */
  buildTask: string | null;
  /** Version that a deploy installs; empty: none. */
  incomingVersion: string;
  commitHash: string;
  commitMessage: string;
  node: string | null;
  /** Name of the executor that runs the task. */
  executor: string;
  /** Handle by which the executor finds the task's program; null: no program was about to be started. */
  executorHandle: string | null;
  /** Raised by every claim and adoption; every write of the owning node names it. */
  leaseEpoch: number;
  killTime: Date | null;
  killForce: boolean;
  killDeadline: Date | null;
  killReason: string;
  /** Name of the caller who first requested the task's end; empty: no caller did, or it was not recorded. */
  killBy: string;
  endTime: Date | null;
  exitCode: number | null;
  signal: string | null;
  endReason: EndReason | null;
  endMessage: string;
  /** The task is LOST, and its node has not reported yet that no process of it is left. */
  mayStillRun: boolean;
}

/** A committed change of status: a task event. `ordinal` counts a task's events from 1. */
export interface StatusEvent {
  ordinal: number;
  status: Status;
  time: Date;
  /** Number of the log line after which the event happened. */
  afterSeq: number;
  message: string;
  /** Name of the caller who caused the change; empty: the service did. */
  by: string;
}

/** The committed state of a task's log. Offsets count raw bytes of each stream. */
export interface LogHead {
  lastSeq: number;
  stdoutOffset: number;
  stderrOffset: number;
}
