import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TaskStatus } from "../../gen/signalman/v1/task_pb.ts";
import { TaskService } from "../../gen/signalman/v1/task_service_pb.ts";
import { cli } from "../cli/cli.ts";
import { follow } from "../faults/follow.ts";
import { testRoot } from "../process/isolation/chains.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import type { TestService } from "../support/service.ts";
import { idOf, obstacle, RUNNER, startWithUsers, WEB } from "./users.ts";

afterAll(() => testRoot.remove());
if (obstacle) test("a server runs tasks as other users", (context) => context.skip(obstacle));

const STDOUT = 1;
const STDERR = 2;

const WHO = `
echo "$(id -u):$(id -g):$(id -G) $USER $LOGNAME"
touch "$HOME/written" "$TMPDIR/written" written
stat -c '%u %a' . "$HOME" "$TMPDIR" | sort -u
stat -c %u written "$HOME/written" "$TMPDIR/written" | sort -u
echo again >/dev/stdout
echo trouble >/dev/stderr
`;

const PRIVILEGES = 'echo "$(id -u) $(grep NoNewPrivs /proc/self/status)"';

/** Works in its folders until it is asked to end, and leaves a process behind. */
const VICTIM = `
trap 'echo asked; exit 0' TERM
echo secret-of-the-victim | tee "$HOME/file" "$TMPDIR/file" >file
setsid sleep 1000 </dev/null >/dev/null 2>&1 &
echo ready
while :; do sleep 0.05; done
`;

/** What the task of another user tries. Says STOLEN for each that works. */
const thief = (server: number, data: string) => `
stolen() { echo "STOLEN $*"; }
exec 2>/dev/null
ls "${data}" | grep -vE "^(tasks|users|signalman)$" && stolen names of the data folder
ls "${data}/tasks" "${data}/tasks/$VICTIM" "${data}/users" | grep -E "$VICTIM|^${idOf(RUNNER)}$" && stolen names of tasks
for path in secret.key postgres tasks/$VICTIM/{work,home,tmp,private,spool}; do ls "${data}/$path/" && stolen "names of $path"; done
for path in secret.key tasks/$VICTIM/{work,home,tmp}/file tasks/$VICTIM/spool/{run,out}; do cat "${data}/$path" && stolen "$path"; done
echo 'exit 0' >>"${data}/tasks/$VICTIM/spool/run" && stolen the journal
for path in "" tasks tasks/$VICTIM tasks/\${SIGNALMAN_TASK%%.*} users; do touch "${data}/$path/mine"; done
for pid in ${server} $VICTIM_PIDS; do
  cat /proc/$pid/environ | grep -q . && stolen "environment of $pid"
  kill -9 $pid && stolen "a signal to $pid"
done
pkill -9 -u ${RUNNER} && stolen signals to all
find /proc/[0-9]*/cwd/ -name file | grep . && stolen folders by /proc
echo tried everything
`;

describe.skipIf(obstacle).each(["none", "namespaces"] as const)(
  "As other users, isolation %s",
  (isolation) => {
    let service: TestService;
    beforeAll(async () => {
      service = await startWithUsers(isolation, {
        SIGNALMAN_ISOLATION_EXEMPT: "projects/demo/templates/exempt",
      });
      await applyDemo(service, { who: WHO, victim: VICTIM, exempt: PRIVILEGES, usual: PRIVILEGES });
      await applyDemo(service, { thief: thief(service.process.pid ?? 0, service.dataDir) }, { name: "web" });
    });
    afterAll(async () => {
      await service?.[Symbol.asyncDispose]();
    });

    test("a program has the user's ids, groups and name, and folders and pipes of its own", async () => {
      const { name } = await runDemo(service, "who");
      const events = await watchToEnd(service, name);
      const uid = idOf(RUNNER);
      expect(bytesOf(events, STDOUT).toString().split("\n")).toEqual([
        `${uid}:${idOf(RUNNER, "-g")}:${idOf(RUNNER, "-G")} ${RUNNER} ${RUNNER}`,
        `${uid} 700`,
        uid,
        "again",
        "",
      ]);
      expect(bytesOf(events, STDERR).toString()).toBe("trouble\n");
      expect(endOf(events).end?.exitCode).toBe(0);
    });

    test("signalman apps tells the users", async () => {
      const { stdout } = await cli(["apps"], { server: service.url });
      expect(stdout).toContain(`Tasks run as the users ${RUNNER} (default), ${WEB} (projects/web)`);
    });

    test("a template that the operator exempts runs as its user without namespaces", async () => {
      const said = async (template: string) => {
        const { name } = await runDemo(service, template);
        return bytesOf(await watchToEnd(service, name), STDOUT).toString();
      };
      expect(await said("exempt")).toBe(`${idOf(RUNNER)} NoNewPrivs:\t0\n`);
      expect(await said("usual")).toBe(
        `${idOf(RUNNER)} NoNewPrivs:\t${isolation === "namespaces" ? 1 : 0}\n`,
      );
    });

    test("a task of another user reads, changes and kills nothing, and a kill leaves nothing alive", async () => {
      const victim = await runDemo(service, "victim");
      using watched = follow(service, victim.name);
      await watched.says(/ready/);
      const id = victim.name.split("/").at(-1) ?? "";

      const { name } = await runDemo(service, "thief", {
        template: "projects/web/templates/thief",
        env: { VICTIM: id, VICTIM_PIDS: processesIn(join(service.dataDir, "tasks", id)).join(" ") },
      });
      const events = await watchToEnd(service, name);
      const said = bytesOf(events, STDOUT).toString();
      expect(said).not.toContain("STOLEN");
      expect(said).toContain("tried everything");
      expect(reachable(service.dataDir, WEB)).toEqual([]);
      expect(readdirSync(service.dataDir, { recursive: true, encoding: "utf8" }).filter(isMine)).toEqual([]);

      await service.kill("SIGKILL");
      await service.start();
      await service.client(TaskService).killTask({ name: victim.name, gracePeriod: { seconds: 60n } });
      expect((await watched.ended).status).toBe(TaskStatus.STOPPED);
      expect(watched.text()).toContain("asked");
      expect(processesIn(join(service.dataDir, "tasks", id))).toEqual([]);
      await expect.poll(() => existsSync(join(service.dataDir, "tasks", id))).toBe(false);
    });
  },
);

const isMine = (path: string) => path.endsWith("/mine") || path === "mine";

/** Pids of the living processes that work in a folder. */
function processesIn(folder: string): string[] {
  return readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readlinkSync(`/proc/${pid}/cwd`).startsWith(`${folder}/`);
    } catch {
      return false; // it has ended
    }
  });
}

/** Returns files and folders of the data folder that a user can list, read or write, without those for the test's scripts. */
function reachable(dataDir: string, user: string): string[] {
  const paths = readdirSync(dataDir, { recursive: true, encoding: "utf8" })
    .filter((path) => !path.startsWith("demo-scripts"))
    .map((path) => join(dataDir, path));
  const ids = [`--reuid=${idOf(user)}`, `--regid=${idOf(user, "-g")}`, "--clear-groups"];
  const each = 'while read -r path; do [ -r "$path" ] || [ -w "$path" ] && echo "$path"; done';
  const { stdout } = spawnSync("setpriv", [...ids, "--", "sh", "-c", each], {
    input: [dataDir, ...paths].join("\n"),
    encoding: "utf8",
  });
  return stdout.split("\n").filter((path) => path && lstatSync(path).uid !== Number(idOf(user)));
}
