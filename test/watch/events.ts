import type { MessageInitShape } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { LogStream, TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import {
  TaskService,
  type WatchTaskRequestSchema,
  type WatchTaskResponse,
} from "../../gen/signalman/v1/task_service_pb.ts";
import type { TestService } from "../support/service.ts";

export type WatchInit = MessageInitShape<typeof WatchTaskRequestSchema>;

const nameOf = (names: Record<string, number>, value: number) =>
  Object.entries(names).find(([, number]) => number === value)?.[0] ?? String(value);

/**
 * Returns the events of a watch that concern the task itself, one string for each line, status, gap and end. Left out is what may differ
 * between two watches: how lines are batched, the snapshot (the task as it was at that moment), heartbeats, tokens.
 */
export function flatten(events: readonly WatchTaskResponse[]): string[] {
  return events.flatMap(({ event }): string[] => {
    switch (event.case) {
      case "log":
        return event.value.lines.map(({ seq, stream, content, partial, time }) =>
          [
            seq,
            nameOf(LogStream, stream),
            JSON.stringify(Buffer.from(content).toString("latin1")),
            partial ? "partial" : "",
            time?.seconds,
            time?.nanos,
          ].join(" "),
        );
      case "status": {
        const { status, afterSeq, time, message, end } = event.value;
        return [
          `${nameOf(TaskStatus, status)} after ${afterSeq} at ${time?.seconds}.${time?.nanos} ${message} ${end?.reason}`,
        ];
      }
      case "gap":
        return [`gap ${event.value.fromSeq} to ${event.value.toSeq}`];
      case "end":
        return [`end ${event.value.lastSeq} ${nameOf(TaskStatus, event.value.task?.status ?? 0)}`];
      default:
        return [];
    }
  });
}

export const statusesOf = (events: readonly WatchTaskResponse[]): string[] =>
  events.flatMap(({ event }) => (event.case === "status" ? [nameOf(TaskStatus, event.value.status)] : []));

export const linesOf = (events: readonly WatchTaskResponse[]) =>
  events.flatMap(({ event }) => (event.case === "log" ? event.value.lines : []));

/** `seq:text` of each line. */
export const textsOf = (events: readonly WatchTaskResponse[]): string[] =>
  linesOf(events).map(({ seq, content }) => `${seq}:${Buffer.from(content)}`);

/** Returns the kind of the last event. */
export const lastCase = (events: readonly WatchTaskResponse[]) => events.at(-1)?.event.case;

/** Returns all events of a watch until the server closes it. */
export async function collect(service: TestService, request: WatchInit): Promise<WatchTaskResponse[]> {
  return Array.fromAsync(service.client(TaskService).watchTask(request));
}

/** A watch that goes on while the test does other things. */
export interface LiveWatch {
  readonly events: WatchTaskResponse[];
  /** Waits until the events received so far fulfil a condition. */
  until(isThere: (events: readonly WatchTaskResponse[]) => boolean): Promise<void>;
  /** Waits for a line that ends in this text. */
  line(text: string): Promise<void>;
  /** Waits for a status. */
  status(name: keyof typeof TaskStatus): Promise<void>;
  /** All events, once the server has closed the stream. */
  readonly done: Promise<WatchTaskResponse[]>;
  cancel(): void;
}

export function watch(service: TestService, request: WatchInit): LiveWatch {
  const events: WatchTaskResponse[] = [];
  const stop = new AbortController();
  const more = new Set<() => void>();
  const done = (async () => {
    for await (const event of service.client(TaskService).watchTask(request, { signal: stop.signal })) {
      events.push(event);
      for (const look of more) look();
    }
    return events;
  })();
  done.catch(() => {});
  const until: LiveWatch["until"] = (isThere) =>
    new Promise((resolve, reject) => {
      const look = () => {
        if (!isThere(events)) return;
        more.delete(look);
        resolve();
      };
      more.add(look);
      look();
      const closed = () =>
        reject(
          new Error(`The watch ended with ${lastCase(events)} before that: ${flatten(events).slice(-5)}`),
        );
      void done.then(closed, reject);
    });
  return {
    events,
    until,
    done,
    cancel: () => stop.abort(),
    line: (text) =>
      until((all) => linesOf(all).some(({ content }) => Buffer.from(content).toString().endsWith(text))),
    status: (name) => until((all) => statusesOf(all).includes(name)),
  };
}

/**
 * Expects that line numbers have no gaps from `first` on, and that each status follows the line that it names. For watches
 * of all streams.
 */
export function expectOrder(events: readonly WatchTaskResponse[], first = 1): void {
  let seq = BigInt(first - 1);
  for (const { event } of events) {
    if (event.case === "log") {
      expect(event.value.firstSeq).toBe(event.value.lines[0]?.seq);
      for (const line of event.value.lines) {
        expect(line.seq).toBe(seq + 1n);
        seq = line.seq;
      }
    }
    if (event.case === "status" && event.value.afterSeq >= first) expect(event.value.afterSeq).toBe(seq);
    if (event.case === "end") expect(event.value.lastSeq).toBe(seq);
  }
}
