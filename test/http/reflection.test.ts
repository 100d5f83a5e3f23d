import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { create, createFileRegistry, fromBinary } from "@bufbuild/protobuf";
import {
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { describe, expect, test } from "vitest";
import * as v1 from "../../gen/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../../gen/reflection/v1alpha/reflection_pb.ts";
import { startServer } from "./server.ts";

const run = promisify(execFile);
const getTask = ({ name }: { name: string }) => ({ task: { name, variables: { a: [1, "b"] } } });

/** Names of the files that one question brings. They can be linked only if all imports came along. */
function linked(files: Uint8Array[]): string[] {
  const protos = new Map(
    files.map((bytes) => fromBinary(FileDescriptorProtoSchema, bytes)).map((proto) => [proto.name, proto]),
  );
  const withImports = (name: string): FileDescriptorProto[] => {
    const proto = protos.get(name);
    if (proto === undefined) throw new Error(`${name} is missing`);
    return [...proto.dependency.flatMap(withImports), proto];
  };
  const file = [...new Set([...protos.keys()].flatMap(withImports))];
  return [...createFileRegistry(create(FileDescriptorSetSchema, { file })).files].map((f) => f.name);
}

describe.each([
  ["v1", v1.ServerReflection],
  ["v1alpha", v1alpha.ServerReflection as unknown as typeof v1.ServerReflection],
] as const)("reflection %s", (_, service) => {
  async function ask(...questions: v1.ServerReflectionRequest["messageRequest"][]) {
    await using server = await startServer();
    const client = createClient(service, createGrpcTransport({ baseUrl: server.url }));
    async function* requests() {
      for (const messageRequest of questions) yield { messageRequest };
    }
    const answers = [];
    for await (const { messageResponse } of client.serverReflectionInfo(requests()))
      answers.push(messageResponse);
    return answers;
  }

  test("lists services", async () => {
    const [answer] = await ask({ case: "listServices", value: "" });
    expect(answer?.case === "listServicesResponse" && answer.value.service.map((s) => s.name)).toEqual([
      "signalman.v1.TaskService",
      "grpc.health.v1.Health",
      "grpc.reflection.v1.ServerReflection",
      "grpc.reflection.v1alpha.ServerReflection",
    ]);
  });

  test.each([
    "signalman.v1.TaskService",
    "signalman.v1.TaskService.RunTask",
    "signalman.v1.RunTaskRequest",
    "signalman.v1.RunTaskRequest.template",
    "signalman.v1.RunTaskRequest.LabelsEntry",
    "signalman.v1.RunTaskRequest.LabelsEntry.key",
    "signalman.v1.LogFormat",
    "signalman.v1.LOG_FORMAT_TEXT",
    "grpc.health.v1.HealthCheckResponse.SERVING",
    "google.rpc.ErrorInfo",
    "google.protobuf.Struct",
  ])("finds the file of %s, with all that it imports", async (symbol) => {
    const [answer] = await ask({ case: "fileContainingSymbol", value: symbol });
    const files = answer?.case === "fileDescriptorResponse" ? answer.value.fileDescriptorProto : [];
    const [package_] = /^[a-z0-9.]+(?=\.[A-Z])/.exec(symbol) ?? [];
    expect(fromBinary(FileDescriptorProtoSchema, files[0] ?? new Uint8Array()).package).toBe(package_);
    expect(linked(files)).toHaveLength(files.length);
  });

  test("finds files by name and reports unknown ones, in one stream", async () => {
    const answers = await ask(
      { case: "fileByFilename", value: "google/protobuf/duration.proto" },
      { case: "fileByFilename", value: "nope.proto" },
      { case: "fileContainingSymbol", value: "signalman.v1.RunTaskRequest.nope" },
      { case: "fileContainingSymbol", value: "signalman.v1.LogFormat.LOG_FORMAT_TEXT" },
      { case: "allExtensionNumbersOfType", value: "signalman.v1.Task" },
      {
        case: "fileContainingExtension",
        value: {
          $typeName: "grpc.reflection.v1.ExtensionRequest",
          containingType: "signalman.v1.Task",
          extensionNumber: 1,
        },
      },
      { case: undefined },
    );
    const errors = answers.map((a) => (a.case === "errorResponse" ? a.value.errorCode : a.case));
    expect(errors).toEqual(["fileDescriptorResponse", 5, 5, 5, "allExtensionNumbersResponse", 5, 3]);
  });
});

test("`buf curl` needs only the port", async () => {
  await using server = await startServer({ tasks: { getTask } });
  for (const protocol of ["grpc", "grpcweb", "connect"]) {
    const { stdout } = await run("node_modules/.bin/buf", [
      "curl",
      "--http2-prior-knowledge",
      "--protocol",
      protocol,
      "-d",
      '{"name":"x"}',
      `${server.url}/signalman.v1.TaskService/GetTask`,
    ]);
    expect(JSON.parse(stdout)).toEqual({ task: { name: "x", variables: { a: [1, "b"] } } });
  }
});
