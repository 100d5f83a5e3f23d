const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the whole process for `ms` milliseconds, as on an overloaded machine. */
export const standStill = (ms: number): void => void Atomics.wait(never, 0, 0, ms);
