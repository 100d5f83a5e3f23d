/** Keys and positions from a document's root. */
export type Path = readonly (string | number)[];

/** `templates[2].env["a.b"]` */
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

/** The path that a text such as `templates[2].env["a.b"]` means. */
export function parsePath(text: string): Path {
  return Array.from(text.matchAll(STEP), ([, position, quoted, name = ""]) => {
    if (position !== undefined) return Number(position);
    return quoted === undefined ? name : (JSON.parse(quoted) as string);
  });
}
