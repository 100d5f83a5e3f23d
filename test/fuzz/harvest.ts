import type { DescMessage, Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { Random } from "./random.ts";

/** What answers have shown, to be used again: names by their collection, tokens by their field. */
export interface Harvest {
  learn(desc: DescMessage, answer: Message): void;
  /** A resource's full name; undefined: none was seen yet. */
  name(collection: string): string | undefined;
  /** A token of a field such as `page_token` or `etag`; undefined: none was seen yet. */
  token(field: string): string | undefined;
}

const KEPT = 40;
const TOKENS = ["page_token", "resume_token", "etag", "digest"];

export function createHarvest(random: Random): Harvest {
  const pools = new Map<string, string[]>();

  function keep(key: string, text: string): void {
    const pool = pools.get(key) ?? [];
    pools.set(key, pool);
    if (text === "" || pool.includes(text)) return;
    if (pool.length < KEPT) pool.push(text);
    else pool[random.below(KEPT)] = text;
  }

  function look(message: ReflectMessage): void {
    for (const field of message.fields) {
      if (field.fieldKind === "message" && message.isSet(field)) look(message.get(field));
      else if (field.fieldKind === "list" && field.listKind === "message")
        for (const item of message.get(field)) look(item as ReflectMessage);
      else if (field.fieldKind === "scalar" && message.isSet(field)) note(field.name, message.get(field));
    }
  }

  function note(field: string, value: unknown): void {
    if (typeof value !== "string") return;
    const [, project, collection, id] = value.split("/");
    if (/^projects\/[^/]+(\/\w+\/[^/]+)?$/.test(value)) {
      keep("projects", `projects/${project}`);
      if (id) keep(collection ?? "", value);
    }
    const token = TOKENS.find((name) => field === name || field === `next_${name}`);
    if (token) keep(token, value);
  }

  const anyOf = (key: string) => {
    const pool = pools.get(key) ?? [];
    return pool.length > 0 ? random.pick(pool) : undefined;
  };
  return { learn: (desc, answer) => look(reflect(desc, answer)), name: anyOf, token: anyOf };
}
