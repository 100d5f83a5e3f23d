import { expect, test } from "vitest";
import { AFTER_TASK, applyHooked, http, runToEnd } from "../runner/hooks/hooked.ts";
import { startReceiver } from "../runner/hooks/receiver.ts";
import { startService } from "../support/service.ts";

test("weakness 19: alerts time out, are valid JSON for any task, and need no list of receivers", async () => {
  await using receiver = await startReceiver();
  await using service = await startService();
  receiver.answer("/never", undefined);
  const hook = (name: string, path: string) => ({
    name,
    event: AFTER_TASK,
    timeout: { seconds: 1n },
    ...http({ url: `${receiver.url}${path}` }),
  });
  const hooks = [hook("silent", "/never"), hook("alert", "/alert")];
  const script = 'echo "}\\"" >&2; exit 3';
  await applyHooked(service, { quoted: { script, hooks } });
  const { status, reason, said } = await runToEnd(service, "quoted", { message: '"}\n\\' });
  expect({ status, reason }).toEqual({ status: "ERROR", reason: "EXIT_CODE" });
  expect(said).toContain("Hook silent failed: it took longer than 1 s");
  const [alert] = await receiver.calls("/alert", 1);
  expect(JSON.parse(alert?.body ?? "")).toMatchObject({ status: "ERROR", reason: "EXIT_CODE" });
});
