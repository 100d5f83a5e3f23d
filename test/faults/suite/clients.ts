import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { type Client, Code, ConnectError } from "@connectrpc/connect";
import { EndReasonSchema } from "../../../gen/signalman/v1/task_pb.ts";
import { KillOutcomeSchema, TaskService } from "../../../gen/signalman/v1/task_service_pb.ts";
import type { Random } from "../../fuzz/random.ts";
import type { Server } from "./cluster.ts";
import { statusOf } from "./events.ts";
import type { Final, Kill, Submission } from "./history.ts";

/** Codes with which a call may fail because of a fault, after which a client repeats it. */
const TRANSIENT: ReadonlySet<Code> = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.DeadlineExceeded,
  // A server that was killed breaks the stream of HTTP/2.
  Code.Internal,
  Code.Unknown,
]);
const CALL_MS = 3000;
const PAUSE_MS = 100;

/** Tells whether a call that failed in this way can be repeated. */
export function isTransient(error: unknown): boolean {
  return error instanceof ConnectError && TRANSIENT.has(error.code);
}

type TaskClient = Client<typeof TaskService>;

/** Calls random servers of a cluster, as a patient client does: each call is repeated until there is an answer. */
export interface Caller {
  readonly submissions: Submission[];
  readonly kills: Kill[];
  /** Numbers of failed tries by their codes. */
  readonly refusals: ReadonlyMap<string, number>;
  submit(request: {
    template: string;
    exitCode: number;
    arguments: string[];
    secretVariables?: Record<string, string>;
  }): Promise<Submission>;
  kill(task: string, force: boolean): Promise<Kill>;
  /** State of a task as one server tells it. */
  final(task: string, server: Server): Promise<Final>;
  /** A random server and its client. */
  pick(): { server: Server; client: TaskClient };
}

export function createCaller(servers: readonly Server[], random: Random): Caller {
  const clients = new Map<string, TaskClient>();
  const clientOf = ({ service }: Server) => {
    const client = clients.get(service.url) ?? service.client(TaskService);
    clients.set(service.url, client);
    return client;
  };
  const submissions: Submission[] = [];
  const kills: Kill[] = [];
  const refusals = new Map<string, number>();

  async function patiently<T>(work: (client: TaskClient) => Promise<T>, only?: Server): Promise<T> {
    for (;;) {
      try {
        return await work(clientOf(only ?? random.pick(servers)));
      } catch (error) {
        if (!isTransient(error)) throw error;
        const code = Code[ConnectError.from(error).code];
        refusals.set(code, (refusals.get(code) ?? 0) + 1);
        await delay(PAUSE_MS);
      }
    }
  }

  return {
    submissions,
    kills,
    refusals,
    async submit({ template, exitCode, ...request }) {
      const requestId = randomUUID();
      const { task } = await patiently((client) =>
        client.runTask(
          { ...request, requestId, template: `projects/demo/templates/${template}` },
          { timeoutMs: CALL_MS },
        ),
      );
      const submission = { task: idOf(task?.name), requestId, template, exitCode };
      submissions.push(submission);
      return submission;
    },
    async kill(task, force) {
      const gracePeriod = { seconds: 1n, nanos: 0 };
      const { outcome } = await patiently((client) =>
        client.killTask({ name: nameOf(task), force, gracePeriod }, { timeoutMs: CALL_MS }),
      );
      const kill = { task, outcome: KillOutcomeSchema.value[outcome]?.localName ?? "" };
      kills.push(kill);
      return kill;
    },
    async final(task, server) {
      const { task: found } = await patiently(
        (client) => client.getTask({ name: nameOf(task) }, { timeoutMs: CALL_MS }),
        server,
      );
      const end = found?.end;
      return {
        task,
        server: server.number,
        status: statusOf(found?.status),
        reason: (end && EndReasonSchema.value[end.reason]?.localName) ?? "",
        exitCode: end?.exitCode,
      };
    },
    pick() {
      const server = random.pick(servers);
      return { server, client: clientOf(server) };
    },
  };
}

export const nameOf = (task: string) => `projects/demo/tasks/${task}`;
export const idOf = (name = "") => name.split("/").at(-1) ?? "";
