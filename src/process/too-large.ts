/**
 * Describes why the system refused a program as too large (E2BIG), with the name of its largest variable or argument.
 */
export function tooLarge(args: readonly string[], env: Readonly<Record<string, string>>): string {
  const sizes: (readonly [string, number])[] = [
    ...Object.entries(env).map(([name, value]) => [`the variable ${name}`, bytes(value)] as const),
    ...args.map((arg, at) => [`argument ${at + 1}${variableIn(arg)}`, bytes(arg)] as const),
  ];
  const [name, most] = sizes.reduce((largest, one) => (one[1] > largest[1] ? one : largest), ["none", 0]);
  const all = sizes.reduce((sum, [, size]) => sum + size, 0);
  return `its arguments and environment are too large: ${all} bytes, of which ${name} has ${most}; this system takes 131072 bytes for each, and about 2 MiB in all (ulimit -s)`;
}

/** Returns the variable's name in brackets if an argument has the form NAME=VALUE, in which shell-like apps get variables. */
const variableIn = (arg: string) => (/^\w+=/.test(arg) ? ` (${arg.slice(0, arg.indexOf("="))}=…)` : "");

const bytes = (text: string) => Buffer.byteLength(text);
