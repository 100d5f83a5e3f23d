const never = new Int32Array(new SharedArrayBuffer(4));

/** The whole process does nothing for so long, as on a machine that has too much to do. */
export const standStill = (ms: number): void => void Atomics.wait(never, 0, 0, ms);
