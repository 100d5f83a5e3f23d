import { Code, createClient } from "@connectrpc/connect";
import { describe, expect, test } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { allOf, createHealthState, followHealth } from "../../src/http/health-state.ts";
import { essence, TRANSPORTS } from "./clients.ts";
import { startServer } from "./server.ts";

describe.each(Object.entries(TRANSPORTS))("health over %s", (_, transport) => {
  test("Check answers for the server and for each of its services", async () => {
    await using server = await startServer();
    const client = createClient(Health, transport(server.url));
    expect((await client.check({})).status).toBe(Status.SERVING);
    expect((await client.check({ service: "signalman.v1.TaskService" })).status).toBe(Status.SERVING);
    expect(essence(await client.check({ service: "no.Such" }).catch((e) => e))).toEqual({
      code: Code.NotFound,
      reason: "SERVICE_UNKNOWN",
    });
    server.health.set(false);
    expect((await client.check({})).status).toBe(Status.NOT_SERVING);
    expect(Object.keys((await client.list({})).statuses)).toEqual(["", "signalman.v1.TaskService"]);
  });

  test("Watch sends each change and the shutdown to every watcher", async () => {
    await using server = await startServer();
    const client = createClient(Health, transport(server.url));
    const watch = client.watch({})[Symbol.asyncIterator]();
    expect((await watch.next()).value?.status).toBe(Status.SERVING);
    const next = watch.next();
    server.health.set(false);
    expect((await next).value?.status).toBe(Status.NOT_SERVING);
    const end = watch.next().catch((e) => e.code);
    await server.stop(10_000);
    expect(await end).toBe(Code.Unavailable);
  });
});

test("Watch of an unknown service answers SERVICE_UNKNOWN and stays open", async () => {
  await using server = await startServer();
  const client = createClient(Health, TRANSPORTS["Connect over HTTP/2"](server.url));
  const watch = client.watch({ service: "no.Such" })[Symbol.asyncIterator]();
  expect((await watch.next()).value?.status).toBe(Status.SERVICE_UNKNOWN);
  const end = watch.next().catch((e) => e.code);
  await server.stop(10_000);
  expect(await end).toBe(Code.Unavailable);
});

test("/healthz answers 200 while the server serves, else 503", async () => {
  await using server = await startServer();
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  server.health.set(false);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(503);
});

test("a part is reported as serving while the part and the whole server are", async () => {
  const [whole, part] = [createHealthState(true), createHealthState(true)];
  const both = allOf(whole, part);
  const abort = new AbortController();
  const follow = followHealth(both, abort.signal);
  expect((await follow.next()).value).toBe(true);
  part.set(false);
  expect((await follow.next()).value).toBe(false);
  const next = follow.next();
  whole.set(false);
  part.set(true);
  expect(both.serving).toBe(false);
  whole.set(true);
  expect((await next).value).toBe(true);
  abort.abort(new Error("enough"));
  await expect(follow.next()).rejects.toThrow("enough");
});

test("a watch of health leaves no listener behind when it ends", async () => {
  const health = createHealthState();
  let listeners = 0;
  const counted: typeof health = {
    ...health,
    get serving() {
      return health.serving;
    },
    subscribe(listener) {
      listeners++;
      const unsubscribe = health.subscribe(listener);
      return () => {
        listeners--;
        unsubscribe();
      };
    },
  };
  const abort = new AbortController();
  const follow = followHealth(counted, abort.signal);
  expect((await follow.next()).value).toBe(false);
  const waiting = follow.next();
  health.set(true);
  expect((await waiting).value).toBe(true);
  expect(listeners).toBe(1);
  abort.abort(new Error("enough"));
  await expect(follow.next()).rejects.toThrow("enough");
  expect(listeners).toBe(0);
});
