import type { DescMethod } from "@bufbuild/protobuf";
import type { Random } from "./random.ts";

/** One request while it is made. */
export interface Draft {
  readonly random: Random;
  readonly method: DescMethod;
  readonly mode: Mode;
  /** The id of the project whose resources it speaks of. */
  readonly project: string;
  /** The full name that it gave last: etags and digests that follow are of this one. */
  named: string;
}

/** How often a field is set, and how often to something that hardly fits. */
export interface Mode {
  readonly set: number;
  readonly wild: number;
}

/** Right ones, as far as the generator knows; nearly right ones; wild ones. */
const MODES: readonly Mode[] = [
  { set: 0.02, wild: 0 },
  { set: 0.1, wild: 0 },
  { set: 0.3, wild: 0 },
  { set: 0.2, wild: 0.02 },
  { set: 0.3, wild: 0.2 },
  { set: 0.8, wild: 0.7 },
];

/** Ids of projects that requests make; fewer than those of other resources, so that these meet in them. */
const PROJECTS = Array.from({ length: 6 }, (_, n) => `made-${n}`);

export function startDraft(random: Random, method: DescMethod): Draft {
  // A request that deletes the real project would remove the resources of all other requests.
  const real = method.name === "DeleteProject" ? 0.02 : 0.75;
  const project = random.chance(real) ? "demo" : random.pick(PROJECTS);
  return { random, method, mode: random.pick(MODES), project, named: "" };
}
