/**
 * Bytes of one argument, or of one environment variable with its name. Linux takes 131072 with the final NUL
 * (MAX_ARG_STRLEN); the rest is for the supervisor's own names of them (process/carried-environment.ts).
 */
export const MAX_WORD_BYTES = 131_000;

/**
 * Bytes of all arguments and variables together. Linux takes a quarter of the stack's limit, 2 MiB where that is 8 MiB.
 */
export const MAX_PROGRAM_BYTES = 1536 * 1024;

/**
 * Number of all arguments and variables together. One argument of the supervisor, which may have 131072 bytes, names each of
 * them with up to 11 (process/carried-environment.ts).
 */
export const MAX_PROGRAM_WORDS = 10_000;
