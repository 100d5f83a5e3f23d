import { hostname } from "node:os";
import { packageVersion } from "../files/package-version.ts";
import { beat, leave } from "../store/nodes/nodes.ts";
import { retryTransient } from "../store/postgres/transient-errors.ts";
import { warnOnce } from "../telemetry/warn-once.ts";
import type { ServiceContext } from "./context.ts";

/** The server's row in the table of nodes, in which callers see its state (store/nodes/nodes.ts). */
export interface Presence {
  /** Whether a caller has asked that this server starts no more tasks. */
  isDraining(): boolean;
  /** Why this server cannot start tasks; empty: it can. */
  problem(): string;
  /** URL of the port, once it is open. */
  address: string;
  /** Writes the row, and reads whether this server is drained. To be called every few seconds. */
  beat(): Promise<void>;
}

/**
 * Writes the row of this server, and, when `stack` is disposed, that it was stopped. `onUndrained`: called when it may start
 * tasks again.
 */
export async function openPresence(
  { config, databases, node, logger }: ServiceContext,
  onUndrained: () => void,
  stack: AsyncDisposableStack,
): Promise<Presence> {
  const { control } = databases;
  let draining = false;
  const presence: Presence = {
    address: `${config.listen.host}:${config.listen.port}`,
    isDraining: () => draining,
    problem: () => "",
    beat: () => write(false),
  };

  async function write(isStart: boolean): Promise<void> {
    const was = draining;
    const facts = {
      hostName: hostname(),
      address: presence.address,
      version: packageVersion(),
      roles: [...config.roles],
      tags: [...config.tags],
      slots: config.roles.includes("runner") ? config.maxParallelTasks : 0,
      problem: presence.problem(),
    };
    ({ draining } = await beat(control, node, { facts, isStart }));
    if (draining !== was) logger.info(draining ? "drained: starts no more tasks" : "starts tasks again");
    if (was && !draining) onUndrained();
  }

  await retryTransient(
    () => write(true),
    new AbortController().signal,
    warnOnce(logger, "waiting for the database"),
  );
  stack.defer(() =>
    leave(control, node).catch((err: unknown) =>
      logger.warn({ err }, "cannot record that this server was stopped"),
    ),
  );
  return presence;
}
