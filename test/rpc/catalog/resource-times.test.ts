import { create } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { TemplateSchema } from "../../../gen/signalman/v1/template_pb.ts";
import { jsonOf } from "../../../src/rpc/catalog/schemas.ts";

test("create_time and update_time in a request are ignored, even if they are invalid", () => {
  const never = create(TimestampSchema, { seconds: -(2n ** 63n) });
  const template = create(TemplateSchema, {
    name: "hello",
    app: "bash",
    settings: { case: "ansible", value: { verbosity: 1 } },
    createTime: never,
    updateTime: never,
  });
  expect(jsonOf("templates", template)).toEqual({ app: "bash", ansible: { verbosity: 1 } });
});
