import { createRegistry, type DescFile, type Registry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";

export interface Descriptors {
  /** Serialized FileDescriptorProtos of the file and all that it imports, itself first; undefined: no such file. */
  byFilename(name: string): Uint8Array[] | undefined;
  /** The same for the file that defines a message, enum, service, extension, method, field or enum value. */
  bySymbol(symbol: string): Uint8Array[] | undefined;
  /** The same for the file that defines an extension of a message. */
  byExtension(extendee: string, number: number): Uint8Array[] | undefined;
  /** Extension numbers of a message; undefined: no such message. */
  extensionNumbers(extendee: string): number[] | undefined;
}

/** Descriptors of the given files and all that they import. They hold no comments: the generated code has none. */
export function descriptorsOf(roots: readonly DescFile[]): Descriptors {
  const files = roots.flatMap(withImports);
  const byName = new Map(files.map((file) => [file.proto.name, file]));
  const registry = createRegistry(...files);
  const serialize = (file: DescFile | undefined): Uint8Array[] | undefined =>
    file && [...new Set(withImports(file))].map((f) => toBinary(FileDescriptorProtoSchema, f.proto));
  const extensionsOf = (extendee: string) =>
    [...registry].filter((type) => type.kind === "extension").filter((e) => e.extendee.typeName === extendee);
  return {
    byFilename: (name) => serialize(byName.get(name)),
    bySymbol: (symbol) => serialize(fileOf(registry, symbol)),
    byExtension: (extendee, number) =>
      serialize(extensionsOf(extendee).find((extension) => extension.number === number)?.file),
    extensionNumbers: (extendee) =>
      registry.getMessage(extendee) && extensionsOf(extendee).map((extension) => extension.number),
  };
}

function withImports(file: DescFile): DescFile[] {
  return [file, ...file.dependencies.flatMap(withImports)];
}

/** Members are found through what they are members of. */
function fileOf(registry: Registry, symbol: string): DescFile | undefined {
  const type = registry.get(symbol);
  if (type !== undefined) return type.file;
  const dot = symbol.lastIndexOf(".");
  const owner = registry.get(symbol.slice(0, dot));
  return owner && membersOf(owner).includes(symbol.slice(dot + 1)) ? owner.file : undefined;
}

function membersOf(type: NonNullable<ReturnType<Registry["get"]>>): string[] {
  switch (type.kind) {
    case "message":
      return [...type.fields, ...type.oneofs].map((member) => member.name);
    case "enum":
      return type.values.map((value) => value.name);
    case "service":
      return type.methods.map((method) => method.name);
    case "extension":
      return [];
  }
}
