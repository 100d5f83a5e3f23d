import { type Logger, pino } from "pino";
import pretty from "pino-pretty";

/*
 * The room telemetry/ is what a server tells its operator about itself. Today that is its log on stderr; a metric or a trace
 * belongs here as well.
 *
 * logger.ts (this file) opens the log. operator-log.ts has the steps of a task's life: whatever counts or measures tasks
 * takes them from there. refusal-log.ts and warn-once.ts keep floods of equal events from becoming floods of lines.
 */

/** Opens the log of the server on stderr, one line for each event: as JSON, or as text for people. */
export function createLogger({ logLevel, logFormat }: { logLevel: string; logFormat: string }): Logger {
  if (logFormat === "json") return pino({ level: logLevel, base: null }, process.stderr);
  return pino(
    { level: logLevel, base: null },
    pretty({ destination: 2, sync: true, ignore: "pid,hostname", translateTime: "SYS:HH:MM:ss.l" }),
  );
}
