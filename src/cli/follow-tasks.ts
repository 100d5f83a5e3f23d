import { constants } from "node:os";
import { LeftError } from "./errors.ts";
import type { Session } from "./session.ts";
import { createTasksView } from "./view/tasks-view.ts";
import type { TasksView } from "./view/view.ts";

/** Shows tasks that have not ended and all their changes. @throws LeftError at SIGINT or SIGTERM, the only regular end */
export async function followTasks(
  session: Session,
  parent: string,
  filter: string | undefined,
): Promise<number> {
  // Called first, since it fails after 10 s without a server, while a watch would retry for ever.
  await session.call(({ tasks }, options) => tasks.listTasks({ parent, filter, pageSize: 1 }, options));
  using leaving = onSignal();
  await using view: TasksView = createTasksView(session.json, process.stdout, process.stderr);
  let isBroken = false;
  // Before `synced`, the view has to forget the events so far.
  let isSynced = false;
  const events = session.client.watchTasks(
    { parent, filter },
    {
      signal: leaving.signal,
      onReconnect({ error, attempt, isRoutine }) {
        if (isRoutine && isSynced) return;
        isBroken = true;
        if (attempt === 1) view.broken(error.rawMessage);
      },
    },
  );
  for await (const event of events) {
    if (isBroken) view.connected();
    isBroken = false;
    isSynced ||= event.event.case === "synced";
    await view.event(event);
  }
  return 0;
}

/** Aborts `signal` with `LeftError` at SIGINT or SIGTERM, until it is disposed. */
function onSignal(): Disposable & { signal: AbortSignal } {
  const leaving = new AbortController();
  const leave = (name: "SIGINT" | "SIGTERM") => leaving.abort(new LeftError(128 + constants.signals[name]));
  process.on("SIGINT", leave);
  process.on("SIGTERM", leave);
  return {
    signal: leaving.signal,
    [Symbol.dispose]() {
      process.off("SIGINT", leave);
      process.off("SIGTERM", leave);
    },
  };
}
