import { test } from "vitest";
import { ConnectError } from "@connectrpc/connect";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { testDatabase } from "../helpers/database.ts";
import { applyDemo, runDemo } from "../helpers/demo.ts";
import { startService } from "../helpers/service.ts";
import { openProxy } from "./proxy.ts";
import { follow } from "./follow.ts";
test.for(["cut", "freeze"] as const)("%s", { timeout: 120000 }, async (how) => {
  const db = await testDatabase();
  await using proxy = await openProxy(db.url);
  await using service = await startService({ databaseUrl: proxy.url });
  await applyDemo(service, { loop: "for i in {1..100000}; do echo $i; sleep 0.01; done" });
  const { name } = await runDemo(service, "loop");
  const w = follow(service, name);
  await w.counts(20);
  const client = service.client(TaskService);
  const t0 = performance.now();
  proxy[how]();
  const time = async (label: string, f: () => Promise<unknown>) => {
    const t = performance.now();
    const r = await f().then(() => "OK", (e) => `${ConnectError.from(e).code} ${ConnectError.from(e).rawMessage}`);
    console.log(label, Math.round(performance.now() - t), r);
  };
  for (let i = 0; i < 2; i++)
  await Promise.all([
    time("get", () => client.getTask({ name })),
    time("list", () => client.listTasks({ parent: "projects/demo" })),
    time("log", () => client.readTaskLog({ name })),
    time("run", () => client.runTask({ template: "projects/demo/templates/loop" })),
    time("kill", () => client.killTask({ name: name.slice(0, -1) + "0" })),
    time("watch", async () => { for await (const _ of client.watchTask({ name })); }),
    time("healthz", async () => { const r = await fetch(`${service.url}/healthz`); throw new Error(await r.text()); }),
  ]);
  console.log("away", performance.now() - t0, w.lines);
  const before = w.lines;
  proxy.heal();
  const t1 = performance.now();
  await w.counts(before + 1);
  console.log("back after", performance.now() - t1);
  await time("get", () => client.getTask({ name }));
  console.log(service.log().split("\n").filter((l) => /"level":[456]0/.test(l)).map((l) => l.slice(0, 200)).join("\n"));
  await client.killTask({ name, force: true });
  await w.ended;
  await db.drop;
});
