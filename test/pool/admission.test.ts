import { expect, test } from "vitest";
import { admit } from "../../src/pool/admission.ts";
import type { Candidate } from "../../src/store/tasks/leases.ts";

/** `p/t#1`: task 1 of template t of project p; `p/t*#1`: its template allows parallel tasks. */
function candidates(names: string, project: { limit?: number; active?: number } = {}): Candidate[] {
  return names.split(" ").map((name) => {
    const [, where = "", template = "", star = ""] = /^(\w+)\/(\w+)(\*?)#\d+$/.exec(name) ?? [];
    const { limit: projectLimit = 0, active: projectActive = 0 } = project;
    return { id: name, project: where, template, allowParallel: star === "*", projectLimit, projectActive };
  });
}

const admitted = (names: string, slots: number, project?: { limit?: number; active?: number }) =>
  admit(candidates(names, project), slots).join(" ");

test("as many tasks start as there are slots, in the order of the queue", () => {
  expect(admitted("p/a#1 p/b#2 q/c#3 q/d#4", 3)).toBe("p/a#1 p/b#2 q/c#3");
  expect(admitted("p/a#1", 3)).toBe("p/a#1");
  expect(admitted("p/a#1", 0)).toBe("");
});

test("a template without parallel runs starts one task, and does not hold up the tasks behind", () => {
  expect(admitted("p/a#1 p/a#2 p/b#3 q/a#4", 9)).toBe("p/a#1 p/b#3 q/a#4");
});

test("a template with parallel runs starts all its tasks", () => {
  expect(admitted("p/a*#1 p/a*#2 p/a*#3", 9)).toBe("p/a*#1 p/a*#2 p/a*#3");
});

test("a project starts tasks up to its limit, active ones included", () => {
  expect(admitted("p/a#1 p/b#2 p/c#3", 9, { limit: 2 })).toBe("p/a#1 p/b#2");
  expect(admitted("p/a#1 p/b#2 p/c#3", 9, { limit: 2, active: 1 })).toBe("p/a#1");
  expect(admitted("p/a#1", 9, { limit: 2, active: 5 })).toBe("");
});

test("a project at its limit does not hold up other projects", () => {
  expect(admitted("p/a#1 p/b#2 q/c#3 p/d#4 q/e#5", 9, { limit: 1 })).toBe("p/a#1 q/c#3");
});

test("a blocked task takes no slot", () => {
  expect(admitted("p/a#1 p/a#2 p/a#3 p/b#4 p/c#5", 2)).toBe("p/a#1 p/b#4");
});
