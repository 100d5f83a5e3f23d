export interface CrowdLimits {
  /** Members in all. */
  all: number;
  /** Members of one subnet. */
  perSubnet: number;
}

/**
 * Connections or calls of peers that have not authenticated, oldest first. If there are too many, the oldest makes room for the
 * new one, so that a flood displaces its own members rather than those of other peers.
 */
export class Crowd<T> {
  readonly #limits: CrowdLimits;
  readonly #all = new Map<T, string>();
  readonly #bySubnet = new Map<string, Set<T>>();

  constructor(limits: CrowdLimits) {
    this.#limits = limits;
  }

  get size(): number {
    return this.#all.size;
  }

  get oldest(): T | undefined {
    return this.#all.keys().next().value;
  }

  /** Returns the member that must make room for a new one of the subnet; undefined: there is room. */
  displacedBy(subnet: string): T | undefined {
    const same = this.#bySubnet.get(subnet);
    if (same && same.size >= this.#limits.perSubnet) return same.values().next().value;
    return this.size >= this.#limits.all ? this.oldest : undefined;
  }

  add(member: T, subnet: string): void {
    this.#all.set(member, subnet);
    this.#bySubnet.set(subnet, (this.#bySubnet.get(subnet) ?? new Set()).add(member));
  }

  delete(member: T): void {
    const subnet = this.#all.get(member);
    if (subnet === undefined) return;
    this.#all.delete(member);
    const same = this.#bySubnet.get(subnet);
    same?.delete(member);
    if (same?.size === 0) this.#bySubnet.delete(subnet);
  }
}
