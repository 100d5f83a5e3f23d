import { execFileSync } from "node:child_process";
import {
  createFileRegistry,
  type DescField,
  type DescMessage,
  type DescMethod,
  fromBinary,
} from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";

/** The contract with its comments, which the generated code does not have: read from proto/ by buf. */
export function readContract() {
  const args = ["build", "proto", "--as-file-descriptor-set", "-o", "-#format=binpb"];
  const bytes = execFileSync("node_modules/.bin/buf", args, { maxBuffer: 1 << 24 });
  const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, bytes));
  const comments = new Map(
    [...registry.files].flatMap((file) =>
      (file.proto.sourceCodeInfo?.location ?? []).map(
        ({ path, leadingComments }) => [keyOf(file.proto.name, path), tidy(leadingComments)] as const,
      ),
    ),
  );
  const places = new Map<DescMessage | DescField | DescMethod, string>();
  for (const file of registry.files) {
    file.messages.forEach((message, m) => {
      places.set(message, keyOf(file.proto.name, [4, m]));
      message.fields.forEach((field) => {
        const f = message.proto.field.indexOf(field.proto);
        places.set(field, keyOf(file.proto.name, [4, m, 2, f]));
      });
    });
    file.services.forEach((service, s) => {
      service.methods.forEach((method, m) => {
        places.set(method, keyOf(file.proto.name, [6, s, 2, m]));
      });
    });
  }
  const methods = [...registry].flatMap((type) =>
    type.kind === "service" && type.typeName.startsWith("signalman.v1.") ? type.methods : [],
  );
  return {
    methods,
    requests: methods.map((method) => method.input),
    commentOf: (desc: DescMessage | DescField | DescMethod): string =>
      comments.get(places.get(desc) ?? "") ?? "",
  };
}

const keyOf = (file: string, path: readonly number[]): string => `${file}:${path.join(".")}`;
const tidy = (comment = ""): string => comment.replace(/\s+/g, " ").trim();
