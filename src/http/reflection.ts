import type { DescFile, DescService, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { Code, type ConnectRouter } from "@connectrpc/connect";
import * as v1 from "../../gen/reflection/v1/reflection_pb.ts";
import * as v1alpha from "../../gen/reflection/v1alpha/reflection_pb.ts";
import { type Descriptors, descriptorsOf } from "./descriptors.ts";

/** Request of v1 and v1alpha, which differ only in the name of the package (https://github.com/grpc/grpc/blob/master/doc/server-reflection.md). */
type Request = Pick<MessageShape<typeof v1.ServerReflectionRequestSchema>, "host" | "messageRequest">;
type Question = Request["messageRequest"];
type Answer = NonNullable<MessageInitShape<typeof v1.ServerReflectionResponseSchema>["messageResponse"]>;

/**
 * Registers server reflection, from which grpcurl, `buf curl` and other clients read the contract of the given services.
 * `more`: files of messages that no service names, such as error details.
 */
export function reflectionRoutes(
  router: ConnectRouter,
  services: readonly DescService[],
  more: readonly DescFile[],
): void {
  const all = [...services, v1.ServerReflection, v1alpha.ServerReflection];
  const descriptors = descriptorsOf([...all.map((service) => service.file), ...more]);
  const names = all.map((service) => ({ name: service.typeName }));
  async function* serverReflectionInfo(
    requests: AsyncIterable<MessageShape<typeof v1.ServerReflectionRequestSchema>>,
  ) {
    for await (const request of requests) {
      const { host, messageRequest } = request;
      yield {
        validHost: host,
        originalRequest: { host, messageRequest },
        messageResponse: answerOf(messageRequest, descriptors, names),
      };
    }
  }
  router.service(v1.ServerReflection, { serverReflectionInfo });
  router.service(v1alpha.ServerReflection, { serverReflectionInfo: serverReflectionInfo as never });
}

function answerOf(question: Question, descriptors: Descriptors, names: { name: string }[]): Answer {
  switch (question.case) {
    case "listServices":
      return { case: "listServicesResponse", value: { service: names } };
    case "fileByFilename":
      return files(descriptors.byFilename(question.value), question.value);
    case "fileContainingSymbol":
      return files(descriptors.bySymbol(question.value), question.value);
    case "fileContainingExtension": {
      const { containingType, extensionNumber } = question.value;
      const found = descriptors.byExtension(containingType, extensionNumber);
      return files(found, `extension ${extensionNumber} of ${containingType}`);
    }
    case "allExtensionNumbersOfType": {
      const extensionNumber = descriptors.extensionNumbers(question.value);
      if (extensionNumber === undefined) return refusal(Code.NotFound, `There is no ${question.value}`);
      const value = { baseTypeName: question.value, extensionNumber };
      return { case: "allExtensionNumbersResponse", value };
    }
    default:
      return refusal(
        Code.InvalidArgument,
        "The reflection request has no `message_request`; set one, such as `list_services`",
      );
  }
}

function files(fileDescriptorProto: Uint8Array[] | undefined, wanted: string): Answer {
  if (fileDescriptorProto === undefined) return refusal(Code.NotFound, `There is no ${wanted}`);
  return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
}

function refusal(errorCode: Code, errorMessage: string): Answer {
  return { case: "errorResponse", value: { errorCode, errorMessage } };
}
