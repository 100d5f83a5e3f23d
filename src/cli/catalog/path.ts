/** Keys and list positions from the root of a document to a value. */
export type Path = readonly (string | number)[];

/** Text of a path: `templates[2].env["a.b"]`. */
export function pathText(path: Path): string {
  return path
    .map((key, at) => {
      if (typeof key === "number") return `[${key}]`;
      if (!/^\w+$/.test(key)) return `[${JSON.stringify(key)}]`;
      return at === 0 ? key : `.${key}`;
    })
    .join("");
}

const STEP = /\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]|([^.[\]]+)/g;

/** Parses the text of a path, such as `templates[2].env["a.b"]`. */
export function parsePath(text: string): Path {
  return Array.from(text.matchAll(STEP), ([, position, quoted, name = ""]) => {
    if (position !== undefined) return Number(position);
    return quoted === undefined ? name : (JSON.parse(quoted) as string);
  });
}
