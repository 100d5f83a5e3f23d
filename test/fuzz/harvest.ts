import { clone, type DescMessage, type DescMethod, type Message } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import type { Random } from "./random.ts";

/** Scalars of a resource in a response, by field, those of inner messages included. */
export type Known = Readonly<Record<string, unknown>>;

/** Values from responses, for use in later requests. */
export interface Harvest {
  learn(method: DescMethod, request: Message, answer: Message): void;
  forget(name: string): void;
  /** Returns the full name of a resource that is in the project, or of a project; undefined: no fitting one was seen. */
  name(random: Random, place: Place, fits?: (known: Known) => boolean): string | undefined;
  /** Returns a field of a resource, such as its `etag`; undefined: not seen. */
  told(name: string, field: string): string | undefined;
  /** Returns a request that continues after the response to an earlier one; undefined: there was none. */
  next(random: Random, method: DescMethod): Message | undefined;
}

export interface Place {
  project: string;
  /** `projects`, `templates` … */
  collection: string;
}

const KEPT = 60;
const NAME = /^projects\/([^/]+)(?:\/(\w+)\/[^/]+)?$/;

export function createHarvest(): Harvest {
  const places = new Map<string, Map<string, Known>>();
  const continued = new Map<string, Message[]>();

  function note(name: string, told: Known = {}): void {
    const key = placeOf(name);
    if (key === undefined) return;
    const names = places.get(key) ?? new Map<string, Known>();
    places.set(key, names);
    const known = { ...names.get(name), ...told };
    names.delete(name); // it is the newest now
    names.set(name, known);
    const [oldest] = names.keys();
    if (names.size > KEPT && oldest !== undefined) names.delete(oldest);
  }

  function look(message: ReflectMessage): void {
    const texts = message.fields.flatMap((field) =>
      field.fieldKind === "scalar" && typeof message.get(field) === "string"
        ? [message.get(field) as string]
        : [],
    );
    for (const text of texts) note(text);
    const named = message.desc.fields.find(({ name }) => name === "name");
    if (named) note(String(message.get(named)), scalarsOf(message));
    for (const inner of within(message)) look(inner);
  }

  return {
    learn(method, request, answer) {
      const shown = reflect(method.output, answer);
      look(shown);
      const goesOn = continuation(method.input, request, shown);
      if (!goesOn) return;
      const list = continued.get(method.localName) ?? [];
      continued.set(method.localName, list);
      list.push(goesOn);
      if (list.length > KEPT) list.shift();
    },
    forget(name) {
      places.get(placeOf(name) ?? "")?.delete(name);
    },
    name(random, { project, collection }, fits = () => true) {
      const key = collection === "projects" ? collection : `${project} ${collection}`;
      const names = [...(places.get(key) ?? [])].filter(([, known]) => fits(known));
      return names.length > 0 ? random.pick(names)[0] : undefined;
    },
    told(name, field) {
      const value = places.get(placeOf(name) ?? "")?.get(name)?.[field];
      return typeof value === "string" ? value : undefined;
    },
    next(random, method) {
      const list = continued.get(method.localName) ?? [];
      return list.length > 0 ? clone(method.input, random.pick(list)) : undefined;
    },
  };
}

function placeOf(name: string): string | undefined {
  const [, project, collection] = NAME.exec(name) ?? [];
  if (project === undefined || project === "-") return undefined;
  return collection === undefined ? "projects" : `${project} ${collection}`;
}

function scalarsOf(message: ReflectMessage): Known {
  const own = message.fields
    .filter((field) => field.fieldKind === "scalar" || field.fieldKind === "enum")
    .map((field) => [field.name, message.get(field)]);
  return Object.assign(Object.fromEntries(own), ...within(message, false).map(scalarsOf));
}

function within(message: ReflectMessage, withLists = true): ReflectMessage[] {
  return message.fields.flatMap((field) => {
    if (field.fieldKind === "message" && message.isSet(field)) return [message.get(field)];
    if (withLists && field.fieldKind === "list" && field.listKind === "message")
      return [...message.get(field)] as ReflectMessage[];
    return [];
  });
}

/** Returns the same request with the token that its response gave for the next part. */
function continuation(input: DescMessage, request: Message, answer: ReflectMessage): Message | undefined {
  for (const name of ["page_token", "resume_token"]) {
    const field = input.fields.find((one) => one.name === name);
    const given = answer.fields.find((one) => one.name === name || one.name === `next_${name}`);
    const token = given && answer.get(given);
    if (!field || !token) continue;
    const following = clone(input, request);
    reflect(input, following).set(field, token);
    return following;
  }
  return undefined;
}
