import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("../..", import.meta.url));

export interface Page {
  /** Path from the repository's root. */
  name: string;
  text: string;
}

/** The Markdown pages for people: those at the top, of docs/, and the READMEs of bench/ and examples/. */
export const PAGES: Page[] = [
  ...namesIn(".", false),
  ...["docs", "bench", "examples"].flatMap((folder) => namesIn(folder, true)),
].map((name) => ({ name, text: readFileSync(join(ROOT, name), "utf8") }));

function namesIn(folder: string, recursive: boolean): string[] {
  return readdirSync(join(ROOT, folder), { recursive, encoding: "utf8" })
    .filter((name) => name.endsWith(".md") && !name.includes("node_modules"))
    .map((name) => join(folder, name));
}

/** Fenced blocks of one language, without their indentation. */
export function blocks({ text }: Page, language: string): string[] {
  const found = text.matchAll(new RegExp(`^( *)\`\`\`${language}\n([\\s\\S]*?)^ *\`\`\``, "gm"));
  return [...found].map(([, indent = "", body = ""]) => body.replaceAll(new RegExp(`^${indent}`, "gm"), ""));
}

/** Links to files of this repository: the file from the root, and the anchor in it. */
export function links({ name, text }: Page): { target: string; anchor: string }[] {
  const prose = text.replaceAll(/```[\s\S]*?```/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, url = ""]) => url)
    .filter((url) => !/^[a-z]+:/.test(url))
    .map((url) => {
      const [path = "", anchor = ""] = url.split("#");
      return { target: path === "" ? name : relative(ROOT, join(ROOT, dirname(name), path)), anchor };
    });
}

/** The anchors that GitHub makes of a page's headings. */
export function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}
