import { readdirSync, readFileSync } from "node:fs";
import { createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus } from "../../gen/health/v1/health_pb.ts";
import { ServerReflection } from "../../gen/reflection/v1/reflection_pb.ts";
import { startService, type TestService } from "../support/service.ts";

let service: TestService;
beforeAll(async () => {
  service = await startService();
});
afterAll(() => service[Symbol.asyncDispose]());

const folder = "proto/signalman/v1";
const CONTRACT = readdirSync(folder)
  .flatMap((file) => [...readFileSync(`${folder}/${file}`, "utf8").matchAll(/^service (\w+)/gm)])
  .map(([, name]) => `signalman.v1.${name}`)
  .sort();

test("reflection lists every service of the contract", async () => {
  const client = createClient(ServerReflection, createGrpcTransport({ baseUrl: service.url }));
  async function* questions() {
    yield { messageRequest: { case: "listServices" as const, value: "" } };
  }
  const [answer] = await Array.fromAsync(client.serverReflectionInfo(questions()));
  const response = answer?.messageResponse;
  const listed = response?.case === "listServicesResponse" ? response.value.service : [];
  const ours = listed.map(({ name }) => name).filter((name) => name.startsWith("signalman."));
  expect(ours.sort()).toEqual(CONTRACT);
});

test("health answers SERVING for each service of the contract", async () => {
  const health = createClient(Health, createGrpcTransport({ baseUrl: service.url }));
  for (const name of CONTRACT)
    expect(await health.check({ service: name })).toMatchObject({
      status: HealthCheckResponse_ServingStatus.SERVING,
    });
});
