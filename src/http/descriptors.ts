import { createRegistry, type DescFile, toBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

export interface Descriptors {
  /** Returns the serialized FileDescriptorProtos of a file and its imports, the file first; undefined: no such file. */
  byFilename(name: string): Uint8Array[] | undefined;
  /** As `byFilename`, for the file that defines a message, field, oneof, enum, enum value, service, method or extension. */
  bySymbol(symbol: string): Uint8Array[] | undefined;
  /** As `byFilename`, for the file that defines an extension of a message. */
  byExtension(extendee: string, number: number): Uint8Array[] | undefined;
  /** Returns the extension numbers of a message; undefined: no such message. */
  extensionNumbers(extendee: string): number[] | undefined;
}

/** Returns descriptors of files and all their imports, without comments, which the generated code does not contain. */
export function descriptorsOf(roots: readonly DescFile[]): Descriptors {
  const files = roots.flatMap(withImports);
  const byName = new Map(files.map((file) => [file.proto.name, file]));
  const bySymbol = new Map(files.flatMap((file) => symbolsOf(file.proto).map((symbol) => [symbol, file])));
  const registry = createRegistry(...files);
  const serialize = (file: DescFile | undefined): Uint8Array[] | undefined =>
    file && [...new Set(withImports(file))].map((f) => toBinary(FileDescriptorProtoSchema, f.proto));
  const extensionsOf = (extendee: string) =>
    [...registry].filter((type) => type.kind === "extension").filter((e) => e.extendee.typeName === extendee);
  return {
    byFilename: (name) => serialize(byName.get(name)),
    bySymbol: (symbol) => serialize(bySymbol.get(symbol)),
    byExtension: (extendee, number) =>
      serialize(extensionsOf(extendee).find((extension) => extension.number === number)?.file),
    extensionNumbers: (extendee) =>
      registry.getMessage(extendee) && extensionsOf(extendee).map((extension) => extension.number),
  };
}

function withImports(file: DescFile): DescFile[] {
  return [file, ...file.dependencies.flatMap(withImports)];
}

/**
 * Returns the full names of everything that a file defines. Values of an enum are siblings of the enum, as in C++, so the full
 * name of a value is `signalman.v1.TASK_STATUS_WAITING` (descriptor.proto, EnumValueDescriptorProto).
 */
function symbolsOf(file: FileDescriptorProto): string[] {
  const enums = (scope: string, list: readonly EnumDescriptorProto[]): string[] =>
    list.flatMap(({ name, value }) => [name, ...value.map((v) => v.name)].map((n) => `${scope}.${n}`));
  const messages = (scope: string, list: readonly DescriptorProto[]): string[] =>
    list.flatMap((message) => {
      const name = `${scope}.${message.name}`;
      const members = [...message.field, ...message.oneofDecl, ...message.extension];
      return [
        name,
        ...members.map((member) => `${name}.${member.name}`),
        ...enums(name, message.enumType),
        ...messages(name, message.nestedType), // includes the entry messages of maps
      ];
    });
  const services = file.service.flatMap(({ name, method }) => [
    `${file.package}.${name}`,
    ...method.map((m) => `${file.package}.${name}.${m.name}`),
  ]);
  return [
    ...messages(file.package, file.messageType),
    ...enums(file.package, file.enumType),
    ...services,
    ...file.extension.map(({ name }) => `${file.package}.${name}`),
  ];
}
