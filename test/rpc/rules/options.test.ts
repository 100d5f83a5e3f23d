import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MethodOptions_IdempotencyLevel as Idempotency } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { readContract } from "./contract.ts";

const READS = /^(Get|List|Watch|Wait|Read|Export)/;
const { methods } = readContract();

test.each(methods.map((m) => [m.name, m] as const))("%s says whether it has side effects", (name, method) => {
  const isRead = method.idempotency === Idempotency.NO_SIDE_EFFECTS;
  expect(isRead).toBe(READS.test(name));
});

test("every .proto file has the package options of each language", () => {
  const files = new Set(methods.flatMap(({ parent }) => [parent.file, ...parent.file.dependencies]));
  const ours = [...files].filter((file) => file.proto.package === "signalman.v1");
  expect(ours.length).toBeGreaterThan(9);
  for (const { proto } of ours) {
    expect(proto.options, proto.name).toMatchObject({
      goPackage: "signalman.dev/go/signalman/v1;signalmanv1",
      javaPackage: "dev.signalman.v1",
      javaMultipleFiles: true,
      objcClassPrefix: "SGM",
      csharpNamespace: "Signalman.V1",
    });
  }
});

test("`npm run check` refuses a contract that lost a field, and accepts one that gained one", () => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8"));
  const command = /buf breaking [^&]+/.exec(scripts.check)?.[0].trim().split(" ").slice(1) ?? [];
  const folder = mkdtempSync(join(tmpdir(), "signalman-contract-"));
  try {
    for (const name of ["proto", "buf.yaml"]) cpSync(name, join(folder, name), { recursive: true });
    const file = join(folder, "proto/signalman/v1/app_service.proto");
    const text = readFileSync(file, "utf8");
    const buf = join(process.cwd(), "node_modules/.bin/buf");
    writeFileSync(file, text.replace("message App {", "message App {\n  string more = 99;"));
    execFileSync(buf, command, { cwd: folder });
    writeFileSync(file, text.replace("  string problem = 7;", ""));
    const { status, stdout } = spawnSync(buf, command, { cwd: folder, encoding: "utf8" });
    expect(status).not.toBe(0);
    expect(stdout).toContain('Previously present field "7" with name "problem" on message "App" was deleted');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
