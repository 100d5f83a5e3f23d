/** Keys and positions from a document's root. */
export type Path = readonly (string | number)[];

/** `templates[2].env["a.b"]` */
export function pathText(path: Path): string {
  return path
    .map((key, at) => {
      if (/^\d+$/.test(String(key))) return `[${key}]`;
      if (!/^\w+$/.test(String(key))) return `[${JSON.stringify(key)}]`;
      return at === 0 ? key : `.${key}`;
    })
    .join("");
}
