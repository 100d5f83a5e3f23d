import { MethodOptions_IdempotencyLevel as IdempotencyLevel } from "@bufbuild/protobuf/wkt";
import { createConnectRouter } from "@connectrpc/connect";
import { expect, test } from "vitest";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { healthService } from "../../src/http/health.ts";
import { reflectionRoutes } from "../../src/http/reflection.ts";
import { isRead, permissionOf } from "../../src/rpc/permissions.ts";
import { type RpcDeps, routes } from "../../src/rpc/routes.ts";
import { SERVICES } from "./roles/requests.ts";

/** All services of the port. */
const router = createConnectRouter();
routes({} as RpcDeps)(router);
router.service(Health, healthService(new Map()));
reflectionRoutes(router, [], []);
const methods = router.handlers.map(({ method }) => method);
const nameOf = (method: (typeof methods)[number]) => `${method.parent.typeName}/${method.name}`;

test("every method of every service has a rule", () => {
  expect(methods.length).toBeGreaterThan(45);
  expect(methods.filter((method) => permissionOf(method) === undefined).map(nameOf)).toEqual([]);
});

test("every method of the contract has a call in the tests of roles", () => {
  const called = SERVICES.flatMap((service) => service.methods).map(nameOf);
  const contract = methods.filter(({ parent }) => parent.typeName.startsWith("signalman."));
  expect(called.sort()).toEqual(contract.map(nameOf).sort());
});

test("only the health service is public", () => {
  const open = methods.filter((method) => permissionOf(method) === "public").map(nameOf);
  expect(open.sort()).toEqual(["Check", "List", "Watch"].map((name) => `grpc.health.v1.Health/${name}`));
});

test("every reading method of the contract is marked as one without side effects", () => {
  const contract = methods.filter(({ parent }) => parent.typeName.startsWith("signalman."));
  const marked = contract.filter(({ idempotency }) => idempotency === IdempotencyLevel.NO_SIDE_EFFECTS);
  expect(contract.filter(isRead).map(nameOf)).toEqual(marked.map(nameOf));
});
