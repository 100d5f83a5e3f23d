/**
 * Maximum size of one argument or environment variable, name included, in bytes. Linux takes 131072 with the final NUL
 * (MAX_ARG_STRLEN); the difference is for the longer names that the supervisor gives them (process/carried-environment.ts).
 */
export const MAX_WORD_BYTES = 131_000;

/**
 * Maximum size of all arguments and variables together, in bytes. Linux takes a quarter of the stack's limit: 2 MiB of 8
 * MiB.
 */
export const MAX_PROGRAM_BYTES = 1536 * 1024;

/**
 * Maximum number of arguments and variables together. The supervisor lists the names of all in one argument of at most
 * 131072 bytes, with up to 11 bytes each (process/carried-environment.ts).
 */
export const MAX_PROGRAM_WORDS = 10_000;
