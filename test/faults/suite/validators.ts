import { isFinal, type Status, TRANSITIONS } from "../../../src/task/status.ts";
import type { History, Seen, Watch } from "./history.ts";

/*
 * Judges of a recorded run: pure functions that return what is wrong, one sentence for each violation. Each has tests in
 * validators.test.ts. The promises themselves are in proto/signalman/v1/task_service.proto.
 */

export type Validator = (history: History) => string[];

type Of<K extends Seen["kind"]> = Extract<Seen, { kind: K }>;
const ofKind = <K extends Seen["kind"]>(seen: readonly Seen[], kind: K) =>
  seen.filter((one): one is Of<K> => one.kind === kind);
const nameOf = ({ task, watcher }: Watch) => `watcher ${watcher} of ${task}`;
const allOf = ({ watches, stored }: History) => [...watches, ...stored];

/** Lines come by their numbers, each status after exactly the lines before it, and statuses as the table allows. */
export const ordered: Validator = (history) => [
  ...allOf(history).flatMap((watch) => outOfOrder(watch)),
  ...history.watchesOfAll.flatMap(({ watcher, changes }) =>
    [...Map.groupBy(changes, ({ task }) => task)].flatMap(([task, list]) =>
      illegal(list).map((what) => `watcher ${watcher} of all tasks: ${task} ${what}`),
    ),
  ),
];

function outOfOrder(watch: Watch): string[] {
  const faults: string[] = [];
  let last = 0;
  for (const one of watch.seen) {
    if (one.kind === "line" && one.seq < last) faults.push(`line ${one.seq} came after line ${last}`);
    if (one.kind === "line") last = one.seq;
    if (one.kind === "gap") last = one.toSeq;
    if (one.kind === "status" && one.afterSeq !== last)
      faults.push(`${one.status} belongs after line ${one.afterSeq} and came after line ${last}`);
  }
  return [...faults, ...illegal(ofKind(watch.seen, "status"))].map((what) => `${nameOf(watch)}: ${what}`);
}

function illegal(statuses: readonly { status: Status }[]): string[] {
  return statuses.flatMap(({ status }, at) => {
    const before = statuses[at - 1]?.status;
    const isLegal = before === undefined ? status === "WAITING" : followers(before).includes(status);
    return isLegal ? [] : [`went from ${before ?? "nothing"} to ${status}`];
  });
}

const followers = (status: Status): readonly Status[] => TRANSITIONS[status];

/** No watcher receives a line or a status twice, and no request creates two tasks. */
export const unique: Validator = (history) => [
  ...allOf(history).flatMap((watch) => {
    const lines = ofKind(watch.seen, "line").map(({ seq }) => `line ${seq}`);
    const statuses = ofKind(watch.seen, "status").map(identity);
    return repeated([...lines, ...statuses]).map((what) => `${nameOf(watch)} received ${what} twice`);
  }),
  ...history.watchesOfAll.flatMap(({ watcher, changes }) =>
    repeated(changes.map((change) => `${change.task} ${identity(change)}`)).map(
      (what) => `watcher ${watcher} of all tasks received ${what} twice`,
    ),
  ),
  ...[...Map.groupBy(history.submissions, ({ requestId }) => requestId)].flatMap(([id, made]) => {
    const tasks = new Set(made.map(({ task }) => task));
    return tasks.size > 1 ? [`request ${id} created the tasks ${[...tasks].join(", ")}`] : [];
  }),
];

/** A change of status is identified by the time of its commit. */
const identity = ({ status, timeMs }: { status: Status; timeMs: number }) => `${status} of ${timeMs}`;

function repeated(list: readonly string[]): string[] {
  return [...Map.groupBy(list, (one) => one)].flatMap(([one, all]) => (all.length > 1 ? [one] : []));
}

/** What a watcher has seen, and what a server has acknowledged, is still there; a log holds what the program wrote. */
export const durable: Validator = (history) => {
  const stored = new Map(history.stored.map((watch) => [watch.task, watch]));
  const lost = history.submissions.flatMap(({ task }) =>
    stored.has(task) ? [] : [`task ${task} was acknowledged and is not stored`],
  );
  const changed = history.watches.flatMap((watch) => {
    const kept = new Set(stored.get(watch.task)?.seen.map(content));
    const gone = watch.seen.filter((one) => one.kind !== "break" && !kept.has(content(one)));
    return gone.map((one) => `${nameOf(watch)} received what is not stored: ${content(one)}`);
  });
  return [...lost, ...changed, ...history.stored.flatMap((watch) => unlikeWritten(history, watch))];
};

function content(seen: Seen): string {
  const { token: _, ...rest } = { token: "", ...seen };
  return JSON.stringify(rest);
}

function unlikeWritten({ written, kills }: History, watch: Watch): string[] {
  const copy = written.get(watch.task);
  if (!copy) return [];
  const wasKilled = kills.some(({ task }) => task === watch.task);
  return (["stdout", "stderr"] as const).flatMap((stream, at) => {
    const text = textOf(watch, at + 1);
    // The program writes its copy first: a kill may come between the copy and the output.
    const isWhole = wasKilled ? copy[stream].startsWith(text) : copy[stream] === text;
    return isWhole
      ? []
      : [
          `${stream} of ${watch.task}: ${text.length} characters are stored, ${copy[stream].length} were written`,
        ];
  });
}

const textOf = ({ seen }: Watch, stream: number) =>
  ofKind(seen, "line")
    .filter((line) => line.stream === stream)
    .map(({ text }) => text)
    .join("");

/** Over all its streams a watcher receives every line and every status up to the end. */
export const resumable: Validator = (history) => {
  const statuses = new Map(history.stored.map(({ task, seen }) => [task, ofKind(seen, "status")]));
  return [
    ...allOf(history).flatMap((watch) => missing(watch, statuses.get(watch.task) ?? [])),
    ...history.watchesOfAll.flatMap(({ watcher, changes }) => {
      const seen = new Set(changes.map((change) => `${change.task} ${identity(change)}`));
      return [...statuses].flatMap(([task, list]) =>
        list
          .filter((status) => !seen.has(`${task} ${identity(status)}`))
          .map(({ status }) => `watcher ${watcher} of all tasks did not receive ${status} of ${task}`),
      );
    }),
  ];
};

function missing(watch: Watch, statuses: readonly Of<"status">[]): string[] {
  const end = ofKind(watch.seen, "end").at(-1);
  if (!end) return [`${nameOf(watch)} did not receive the end`];
  const lines = new Set(ofKind(watch.seen, "line").map(({ seq }) => seq));
  const seen = new Set(ofKind(watch.seen, "status").map(identity));
  const gaps = Array.from({ length: end.lastSeq }, (_, at) => at + 1).filter((seq) => !lines.has(seq));
  const skipped = statuses.filter((status) => !seen.has(identity(status)));
  return [
    ...(gaps.length > 0
      ? [`${nameOf(watch)} did not receive ${gaps.length} lines, the first is ${gaps[0]}`]
      : []),
    ...skipped.map(({ status }) => `${nameOf(watch)} did not receive ${status}`),
  ];
}

/** No program is started twice; one that was never started has no end of its own. */
export const atMostOnce: Validator = ({ programs, finals }) => {
  const begins = programs.filter(({ what }) => what === "begin").map(({ task }) => task);
  const begun = new Set(begins);
  return [
    ...repeated(begins).map((task) => `the program of ${task} was started more than once`),
    ...finals
      .filter(
        ({ task, reason, status }) => (status === "SUCCESS" || reason === "EXIT_CODE") && !begun.has(task),
      )
      .map(({ task, status }) => `${task} is ${status} although its program was never started`),
  ];
};

/** Each task has one final status, the last one, everywhere the same, and the one that its program or its caller made. */
export const terminalOnce: Validator = (history) => [
  ...allOf(history).flatMap((watch) => {
    const finals = ofKind(watch.seen, "status").filter(({ status }) => isFinal(status));
    const ends = ofKind(watch.seen, "end");
    const isRight = finals.length <= 1 && ends.length <= 1 && (!ends[0] || ends[0] === watch.seen.at(-1));
    return isRight ? [] : [`${nameOf(watch)} received several ends, or something after the end`];
  }),
  ...[...Map.groupBy(history.finals, ({ task }) => task)].flatMap(([task, answers]) => {
    const told = new Set(answers.map(({ status, reason, exitCode }) => `${status} ${reason} ${exitCode}`));
    return told.size > 1 ? [`servers disagree on the end of ${task}: ${[...told].join("; ")}`] : [];
  }),
  ...history.submissions.flatMap((submission) => wrongEnd(history, submission)),
];

function wrongEnd(
  { finals, kills, programs }: History,
  { task, exitCode }: History["submissions"][number],
): string[] {
  const end = finals.find((final) => final.task === task);
  if (!end) return [];
  const outcomes = new Set(kills.filter((kill) => kill.task === task).map(({ outcome }) => outcome));
  const told = `${task} ended as ${end.status} ${end.reason} ${end.exitCode ?? ""}`;
  if (!isFinal(end.status)) return [`${task} is still ${end.status}`];
  const isKilled = outcomes.has("KILL_REQUESTED") || outcomes.has("KILLED_BEFORE_START");
  // A program may fail by itself while it is being killed.
  const hasFailed = end.status === "ERROR" && end.exitCode === exitCode && exitCode !== 0;
  if (isKilled && end.status !== "STOPPED" && !(hasFailed && !outcomes.has("KILLED_BEFORE_START")))
    return [`${told} although a kill was acknowledged`];
  if (outcomes.has("KILLED_BEFORE_START") && programs.some((program) => program.task === task))
    return [`the program of ${task} was started although the task was killed before its start`];
  if (isKilled || (outcomes.size > 0 && end.status === "STOPPED")) return [];
  const own = exitCode === 0 ? "SUCCESS" : "ERROR";
  const isOwn = end.status === own && (own === "SUCCESS" || end.exitCode === exitCode);
  return isOwn ? [] : [`${told}; its program was asked to exit with ${exitCode}`];
}

/** Never more programs run at once than the project and the template allow. */
export const limitsKept: Validator = ({ programs, submissions, limits }) => {
  const templates = new Map(submissions.map(({ task, template }) => [task, template]));
  const ended = new Set(programs.filter(({ what }) => what === "end").map(({ task }) => task));
  const running = new Set<string>();
  const faults = new Set<string>();
  for (const { task, what } of programs) {
    // How long a program ran that was killed before it could note its end is not known.
    if (what === "end" || !ended.has(task)) running.delete(task);
    else running.add(task);
    if (running.size > limits.project)
      faults.add(`more than ${limits.project} programs of the project ran at once`);
    for (const [template, most] of Object.entries(limits.templates)) {
      const count = [...running].filter((one) => templates.get(one) === template).length;
      if (count > most) faults.add(`more than ${most} programs of template ${template} ran at once`);
    }
  }
  return [...faults];
};

/** When all tasks have ended, no process, folder or row of them is left. */
export const nothingLeft: Validator = ({ left }) => left;

export const VALIDATORS = {
  Ordered: ordered,
  Unique: unique,
  Durable: durable,
  Resumable: resumable,
  AtMostOnce: atMostOnce,
  TerminalOnce: terminalOnce,
  LimitsKept: limitsKept,
  NothingLeft: nothingLeft,
} as const satisfies Record<string, Validator>;

/** Returns all violations, each with the name of its validator. */
export function violationsOf(history: History): string[] {
  return Object.entries(VALIDATORS).flatMap(([name, validate]) =>
    validate(history).map((what) => `${name}: ${what}`),
  );
}
