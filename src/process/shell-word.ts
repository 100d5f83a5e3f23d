/** Quotes a text as one word of a POSIX shell, without special characters. */
export function shellWord(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
