import type { DescMethod } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/** A request that is being generated. */
export interface Draft {
  readonly random: Random;
  readonly method: DescMethod;
  readonly mode: Mode;
  /** Id of the project to whose resources the request refers. */
  readonly project: string;
  /** The last full name that was generated: etags and digests that follow belong to it. */
  named: string;
}

/** Probabilities that a field is set, and that its value is unlikely to be valid. */
export interface Mode {
  readonly set: number;
  readonly wild: number;
}

/** Modes for valid requests (as far as the generator knows), nearly valid ones, and wild ones. */
const MODES: readonly Mode[] = [
  { set: 0.02, wild: 0 },
  { set: 0.1, wild: 0 },
  { set: 0.3, wild: 0 },
  { set: 0.2, wild: 0.02 },
  { set: 0.3, wild: 0.2 },
  { set: 0.8, wild: 0.7 },
];

/** Ids of projects that requests create; fewer than those of other resources, so that several resources share a project. */
const PROJECTS = Array.from({ length: 6 }, (_, n) => `made-${n}`);

export function startDraft(random: Random, method: DescMethod): Draft {
  // A request that deletes the real project would remove the resources of all other requests.
  const real = method.name === "DeleteProject" ? 0.02 : 0.75;
  const project = random.chance(real) ? "demo" : random.pick(PROJECTS);
  return { random, method, mode: random.pick(MODES), project, named: "" };
}
