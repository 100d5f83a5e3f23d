import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { TemplateService } from "../../../../gen/signalman/v1/template_pb.ts";
import { cli } from "../../../cli/cli.ts";
import { hasAnsible, NO_ANSIBLE } from "../../../support/ansible.ts";
import { startService, type TestService } from "../../../support/service.ts";
import { freePort, hasSshd, NO_SSHD } from "../../../support/sshd.ts";

const at = (path: string) => fileURLToPath(new URL(`../../../../examples/ansible/${path}`, import.meta.url));

let service: TestService;
let host: ChildProcess;
let port: number;
let folder: string;
beforeAll(async () => {
  if (!hasAnsible || !hasSshd) return;
  folder = mkdtempSync(join(tmpdir(), "signalman-greeting-"));
  port = await freePort();
  host = spawn(at("host.sh"), [String(port)], { stdio: ["ignore", "ignore", "pipe"] });
  await new Promise<void>((listening, ended) => {
    createInterface({ input: host.stderr as NodeJS.ReadableStream }).on(
      "line",
      (line) => line.startsWith("Server listening") && listening(),
    );
    host.once("exit", ended);
  });
  service = await startService();
});
afterAll(async () => {
  await service?.[Symbol.asyncDispose]();
  if (host?.kill()) await once(host, "exit");
  if (folder) rmSync(folder, { recursive: true });
});
beforeEach((context) => {
  if (!hasAnsible) context.skip(NO_ANSIBLE);
  if (!hasSshd) context.skip(NO_SSHD);
});

test("the example greets over SSH, with a passphrase and two vaults", async () => {
  const { url: server } = service;
  expect(await cli(["apply", at("catalog.yaml")], { server })).toMatchObject({ code: 0 });
  // The test's host has another port and folder than the example's.
  await service.client(TemplateService).updateTemplate({
    template: { name: "projects/greeting/templates/greet", allowExtraVariables: true },
  });
  const variables = [`host_port=${port}`, `greeting_folder=${folder}`, "greeting_name={{ 7 * 6 }}"];
  const run = ["run", "greeting/greet", ...variables.flatMap((variable) => ["-e", variable])];
  const { code, stdout, stderr } = await cli(run, { server });
  expect(stdout).toContain("Write the settings");
  expect({ code, stderr }).toMatchObject({ code: 0 });
  expect(readFileSync(join(folder, "greeting.txt"), "utf8")).toMatch(
    /^Hello \{\{ 7 \* 6 \}\}, from task [0-9a-f-]{36}\.$/m,
  );
  expect(readFileSync(join(folder, "settings.ini"), "utf8")).toBe(
    "database_password=dv-Xk2p-database\napi_token=pv-9Wqz-token\n",
  );
  expect(stderr).toMatch(/^signalman: loopback {2}3 {3}2 /m);
});
