import { expect, test } from "vitest";
import type { History, Seen, Watch } from "./history.ts";
import { type VALIDATORS, violationsOf } from "./validators.ts";

const line = (seq: number, text = `${seq}\n`): Seen => ({ kind: "line", seq, stream: 1, text, token: "" });
const status = (status: string, afterSeq: number, timeMs = afterSeq): Seen =>
  ({ kind: "status", status, afterSeq, timeMs, token: "" }) as Seen;
const end = (lastSeq: number, status = "SUCCESS"): Seen =>
  ({ kind: "end", status, lastSeq, token: "" }) as Seen;
const BREAK: Seen = { kind: "break", why: "cut" };

const LIFE = [status("WAITING", 0, 1), status("STARTING", 0, 2), status("RUNNING", 0, 3), line(1), line(2)];
const WHOLE = [...LIFE, status("SUCCESS", 2, 4), end(2)];
const CHANGES = [
  ["WAITING", 1],
  ["STARTING", 2],
  ["RUNNING", 3],
  ["SUCCESS", 4],
].map(([status, timeMs]) => ({
  task: "t",
  status,
  timeMs,
  token: "",
})) as History["watchesOfAll"][number]["changes"];

const watchOf = (...seen: Seen[]): Watch => ({ task: "t", watcher: "w", seen });

/** A history of one task without any fault, with some parts replaced. */
const history = (parts: Partial<History> = {}): History => ({
  submissions: [{ task: "t", requestId: "r", template: "alone", exitCode: 0 }],
  kills: [],
  watches: [watchOf(...WHOLE)],
  watchesOfAll: [{ watcher: "all", changes: CHANGES }],
  stored: [watchOf(...WHOLE)],
  finals: [{ task: "t", server: 0, status: "SUCCESS", reason: "", exitCode: 0 }],
  programs: [
    { task: "t", what: "begin" },
    { task: "t", what: "end" },
  ],
  written: new Map([["t", { stdout: "1\n2\n", stderr: "" }]]),
  limits: { project: 2, templates: { alone: 1 } },
  left: [],
  ...parts,
});

const seen = (...seen: Seen[]) => history({ watches: [watchOf(...seen)] });
const final = (parts: Partial<History["finals"][number]>, more: Partial<History> = {}) =>
  history({
    finals: [{ task: "t", server: 0, status: "SUCCESS", reason: "", exitCode: 0, ...parts }],
    ...more,
  });
const programs = (...notes: string[]) =>
  notes.map((note) => ({ task: note.slice(1), what: note[0] === "+" ? "begin" : "end" }) as const);
const twoTasks = (template: string) =>
  ["t", "u"].map((task) => ({ task, requestId: task, template, exitCode: 0 }));

test("a history without faults has no violations", () => {
  expect(violationsOf(history())).toEqual([]);
});

test("a watch that broke and went on with its token has no violations", () => {
  expect(violationsOf(seen(...WHOLE.slice(0, 3), BREAK, BREAK, ...WHOLE.slice(3)))).toEqual([]);
});

const BROKEN: readonly [keyof typeof VALIDATORS, string, History][] = [
  [
    "Ordered",
    "lines in another order",
    seen(...LIFE.slice(0, 3), line(2), line(1), status("SUCCESS", 2, 4), end(2)),
  ],
  [
    "Ordered",
    "a status before its lines",
    seen(...LIFE.slice(0, 4), status("SUCCESS", 2, 4), line(2), end(2)),
  ],
  ["Ordered", "a status that cannot follow", seen(status("WAITING", 0, 1), status("RUNNING", 0, 3), end(2))],
  ["Ordered", "a first status that is not WAITING", seen(status("RUNNING", 0, 3))],
  [
    "Ordered",
    "changes in another order",
    history({ watchesOfAll: [{ watcher: "all", changes: CHANGES.toReversed() }] }),
  ],
  ["Unique", "a line twice", seen(...LIFE, BREAK, line(2), status("SUCCESS", 2, 4), end(2))],
  [
    "Unique",
    "a status twice",
    seen(...LIFE, status("SUCCESS", 2, 4), BREAK, status("SUCCESS", 2, 4), end(2)),
  ],
  [
    "Unique",
    "a change twice",
    history({ watchesOfAll: [{ watcher: "all", changes: [...CHANGES, ...CHANGES] }] }),
  ],
  [
    "Unique",
    "two tasks of one request",
    history({ submissions: twoTasks("alone").map((one) => ({ ...one, requestId: "r" })) }),
  ],
  ["Durable", "a task that is gone", history({ stored: [] })],
  [
    "Durable",
    "a line that is gone",
    history({ stored: [watchOf(...WHOLE.filter((one) => one !== LIFE[4]))] }),
  ],
  ["Durable", "a line that has changed", seen(...LIFE.slice(0, 3), line(1, "x"), ...WHOLE.slice(4))],
  [
    "Durable",
    "output that is missing",
    history({ written: new Map([["t", { stdout: "1\n2\n3\n", stderr: "" }]]) }),
  ],
  [
    "Durable",
    "output that the killed program did not write",
    history({
      written: new Map([["t", { stdout: "1\n", stderr: "" }]]),
      kills: [{ task: "t", outcome: "ALREADY_FINAL" }],
    }),
  ],
  ["Resumable", "a line left out", seen(...WHOLE.filter((one) => one !== LIFE[3]))],
  ["Resumable", "a status left out", seen(...WHOLE.filter((one) => one !== LIFE[1]))],
  ["Resumable", "a watch without an end", seen(...LIFE)],
  [
    "Resumable",
    "a change left out",
    history({ watchesOfAll: [{ watcher: "all", changes: CHANGES.slice(1) }] }),
  ],
  ["AtMostOnce", "a program started twice", history({ programs: programs("+t", "-t", "+t", "-t") })],
  ["AtMostOnce", "a success without a program", history({ programs: [] })],
  [
    "TerminalOnce",
    "two final statuses",
    seen(...LIFE, status("SUCCESS", 2, 4), status("ERROR", 2, 5), end(2)),
  ],
  ["TerminalOnce", "something after the end", seen(...WHOLE, line(3))],
  ["TerminalOnce", "a task without an end", final({ status: "RUNNING", exitCode: undefined })],
  [
    "TerminalOnce",
    "the end of another program",
    final({ status: "ERROR", reason: "EXIT_CODE", exitCode: 9 }),
  ],
  ["TerminalOnce", "an end that is not the program's", final({ status: "ERROR", reason: "LOST" })],
  ["TerminalOnce", "a kill without effect", final({}, { kills: [{ task: "t", outcome: "KILL_REQUESTED" }] })],
  ["TerminalOnce", "a stop without a kill", final({ status: "STOPPED", reason: "STOPPED_BY_USER" })],
  [
    "TerminalOnce",
    "a start after a kill",
    final({ status: "STOPPED" }, { kills: [{ task: "t", outcome: "KILLED_BEFORE_START" }] }),
  ],
  [
    "TerminalOnce",
    "servers that disagree",
    history({
      finals: [...history().finals, { task: "t", server: 1, status: "ERROR", reason: "LOST", exitCode: 0 }],
    }),
  ],
  [
    "LimitsKept",
    "two programs of a template for one",
    history({ submissions: twoTasks("alone"), programs: programs("+t", "+u", "-t", "-u") }),
  ],
  [
    "LimitsKept",
    "more programs than the project allows",
    history({
      submissions: twoTasks("parallel"),
      programs: programs("+t", "+u", "-t", "-u"),
      limits: { project: 1, templates: {} },
    }),
  ],
  ["NothingLeft", "a process", history({ left: ["process 1 of t is left"] })],
];

test.for(BROKEN)("%s: %s is found", ([name, , broken]) => {
  expect(violationsOf(broken).map((violation) => violation.split(":")[0])).toContain(name);
});

test("programs of which only the begin is known do not count against a limit", () => {
  const parts = { submissions: twoTasks("alone"), programs: programs("+t", "+u", "-u") };
  expect(violationsOf(history(parts)).filter((violation) => violation.startsWith("LimitsKept"))).toEqual([]);
});
