import {
  create,
  type DescMessage,
  type DescService,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import type { AnyKind } from "../../store/catalog/kinds.ts";
import type { Call } from "../call.ts";
import { violationsOf } from "../rules/check.ts";
import { type ReadResourcesDeps, resourceReader } from "./read.ts";
import type { Schemas } from "./schemas.ts";
import { resourceWriter, type WriteDeps } from "./write.ts";

export type StandardDeps = ReadResourcesDeps & WriteDeps;

/** Types of the standard methods of a kind, by the names that the contract gives methods and fields. */
type StandardMethods<One extends string, Many extends string, M> = {
  [N in `create${Capitalize<One>}`]: (
    deps: StandardDeps,
    request: { [I in `${One}Id`]: string } & { [F in One]?: M } & { parent?: string },
    call: Call,
  ) => Promise<{ [F in One]: M }>;
} & {
  [N in `get${Capitalize<One>}`]: (
    deps: StandardDeps,
    request: { name: string },
  ) => Promise<{ [F in One]: M }>;
} & {
  [N in `list${Capitalize<Many>}`]: (
    deps: StandardDeps,
    request: { parent?: string; pageSize: number; pageToken: string },
    call: Call,
  ) => Promise<{ [F in Many]: M[] } & { nextPageToken: string }>;
} & {
  [N in `update${Capitalize<One>}`]: (
    deps: StandardDeps,
    request: { [F in One]?: M } & { updateMask?: { paths: string[] } },
    call: Call,
  ) => Promise<{ [F in One]: M }>;
} & {
  [N in `delete${Capitalize<One>}`]: (
    deps: StandardDeps,
    request: { name: string; etag: string; force?: boolean },
    call: Call,
  ) => Promise<Record<string, never>>;
};

/** Returns Create, Get, List, Update and Delete of one kind. Requests have passed the rules, so required fields are set. */
export function standardMethods<K extends AnyKind, One extends string>(
  service: DescService,
  kind: K,
  one: One,
): StandardMethods<One, K, MessageShape<Schemas[K]>> {
  const update = methodOf(service, `update${capital(one)}`);
  const field = update.input.field[one]?.name ?? one;
  const reader = (deps: StandardDeps) => resourceReader(deps, kind);
  const writer = (deps: StandardDeps, call: Call) =>
    resourceWriter(deps, call, {
      kind,
      field,
      violationsOf: (resource) => violationsOf(update.input, wholeUpdate(update.input, one, resource)),
    });
  const shape = (request: object) => (request as Record<string, unknown>)[one] as never;
  const methods = {
    [`create${capital(one)}`]: async (deps: StandardDeps, request: Record<string, string>, call: Call) => ({
      [one]: await writer(deps, call).create(request.parent ?? "", request[`${one}Id`] ?? "", shape(request)),
    }),
    [`get${capital(one)}`]: async (deps: StandardDeps, request: { name: string }) => ({
      [one]: await reader(deps).get(request),
    }),
    [`list${capital(kind)}`]: async (
      deps: StandardDeps,
      request: Parameters<ReturnType<typeof reader>["list"]>[0],
      call: Call,
    ) => {
      const { resources, nextPageToken } = await reader(deps).list(request, call);
      return { [kind]: resources, nextPageToken };
    },
    [`update${capital(one)}`]: async (
      deps: StandardDeps,
      request: { updateMask?: { paths: string[] } },
      call: Call,
    ) => ({
      [one]: await writer(deps, call).update(shape(request), request.updateMask?.paths ?? []),
    }),
    [`delete${capital(one)}`]: async (
      deps: StandardDeps,
      request: { name: string; etag: string; force?: boolean },
      call: Call,
    ) => {
      await writer(deps, call).remove(request.name, request.etag, request.force ?? false);
      return {};
    },
  };
  return methods as unknown as StandardMethods<One, K, MessageShape<Schemas[K]>>;
}

function methodOf(service: DescService, name: string) {
  const method = service.method[name];
  if (!method) throw new Error(`${service.typeName} has no method ${name}`);
  return method;
}

function wholeUpdate(schema: DescMessage, one: string, resource: Message): Message {
  const updateMask = create(FieldMaskSchema, { paths: ["*"] });
  return create(schema, { [one]: resource, updateMask } as never);
}

const capital = <S extends string>(text: S) =>
  (text.charAt(0).toUpperCase() + text.slice(1)) as Capitalize<S>;
