import { chownSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { follow } from "../faults/follow.ts";
import { applyDemo, bytesOf, endOf, runDemo, watchToEnd } from "../support/demo.ts";
import { isRoot, NOBODY } from "../support/nobody.ts";
import type { TestService } from "../support/service.ts";
import { chains, startIsolated, startUnisolated, tellMissing, testRoot } from "./server.ts";

tellMissing();
afterAll(() => testRoot.remove());

const STDOUT = 1;
const GO = "go";

/** Leaves a secret in its environment and in each folder for temporary files, and ends with 9 when a file appears. */
const victim = () => `
export VICTIM_TOKEN=secret-of-the-victim
for folder in /tmp /var/tmp /dev/shm "$TMPDIR" "$HOME" .; do echo secret-of-the-victim >"$folder/victim-file"; done
echo ready
until [ -e "${testRoot.path}/${GO}" ]; do /bin/sleep 0.02; done
exit 9
`;

/** Script that tries every attack and prints STOLEN for each that succeeds. */
const thief = (server: number, data: string, url: string) => `
stolen() { echo "STOLEN $*"; }
secrets='secret-of-the-(victim|server)'

# The service's memory, environment and descriptors.
grep -aqE "$secrets|DATABASE_URL" /proc/${server}/environ && stolen environment of the server
ls /proc/${server}/fd && stolen descriptors of the server
for pid in /proc/[0-9]*; do [ "$pid" = "/proc/$$" ] || ! grep -aqE "$secrets" "$pid/environ" || stolen "environment of $pid"; done
[ "$(ls -d /proc/[0-9]* | wc -l)" -gt 5 ] && stolen processes of others
kill -0 ${server} && stolen a signal to the server
kill -9 ${server}
perl -e 'exit(syscall(101, 16, ${server}, 0, 0) == 0 ? 0 : 1)' && stolen a trace of the server

# The data folder: key, database, mirrors, other tasks.
for path in secret.key postgres run mirrors galaxy node-id lock; do [ -e "${data}/$path" ] && stolen "$path"; done
grep -rqE --exclude-dir=work "$secrets" "${data}" && stolen text in the data folder
others=$(ls "${data}/tasks" | grep -v "^\${SIGNALMAN_TASK%%.*}$") && stolen "tasks $others"
find "${data}" /tmp /var/tmp /dev/shm /run/user -type s | grep . && stolen a socket
grep -lE "$secrets" /tmp/* /var/tmp/* /dev/shm/* && stolen temporary files

# The journals and spools, of itself and of others.
for run in "${data}"/tasks/*/spool/run "${data}/tasks/\${SIGNALMAN_TASK%%.*}/spool/run"; do echo 'exit 0' >>"$run"; done
for task in "${data}"/tasks/*; do mkdir -p "$task/spool" && echo forged >"$task/spool/out"; done
for fd in /proc/1/fd/* /proc/$$/fd/*; do readlink "$fd"; done | grep -E 'spool|/run$' && stolen a descriptor of the spool

# The API: the network is shared, so a token is set; the unix socket needs none, and is not there.
call() { curl -sS -o /dev/null -w '%{http_code}' -H 'content-type: application/json' -d '{}' "$@" ${url}/signalman.v1.AppService/ListApps; }
[ "$(call)" = 401 ] || stolen the API
for socket in $(find "${dirname(data)}" /run/user -type s); do stolen "the unix socket $socket"; done

# A way out of the namespaces.
umount "${data}" && stolen a mount
unshare --user --map-root-user --mount sh -c 'umount "${data}"; ls "${data}/secret.key"' && stolen a mount in nested namespaces
nsenter --target 1 --mount --pid ls "${data}/secret.key" && stolen other namespaces
echo x >/proc/sys/kernel/core_pattern && stolen core_pattern
sudo -n true && stolen root
grep -q 'NoNewPrivs:.1' /proc/self/status || stolen privileges
grep -E '^Cap(Inh|Prm|Eff|Bnd|Amb):' /proc/self/status | grep -qv 0000000000000000 && stolen capabilities
kill -9 -1
echo tried everything
exit 3
`;

describe.each(chains)("in namespaces by $name, a task", (chain) => {
  let service: TestService;
  beforeAll(async () => {
    service = await startIsolated(chain);
  });
  afterAll(async () => {
    await service?.[Symbol.asyncDispose]();
  });

  test("cannot read, change or kill anything of the service or of another task", async () => {
    const { pid } = service.process;
    await applyDemo(service, { victim: victim(), thief: thief(pid as number, service.dataDir, service.url) });
    if (isRoot) chownSync(join(service.dataDir, "demo-scripts"), NOBODY, NOBODY);
    const victimTask = await runDemo(service, "victim");
    using watched = follow(service, victimTask.name);
    await watched.says(/ready/);

    const { name } = await runDemo(service, "thief");
    const events = await watchToEnd(service, name);
    const said = bytesOf(events, STDOUT).toString();
    expect(said).not.toContain("STOLEN");
    expect(said).toContain("tried everything");
    expect(endOf(events)).toMatchObject({ end: { exitCode: 3 } });

    expect(service.log()).toMatch(/without a token at unix:/);
    expect(service.process.exitCode).toBeNull();
    writeFileSync(join(testRoot.path, GO), "");
    expect((await watched.ended).end?.exitCode).toBe(9);
  });
});

/** Numbers of system calls: ptrace, process_vm_readv, pidfd_open, pidfd_getfd. */
const CALLS = process.arch === "arm64" ? [117, 270, 434, 438] : [101, 310, 434, 438];

/** Tries to read the secrets from the server's process, and whether it can read those of a process that it may read. */
const reader = (server: number) => `
stolen() { echo "STOLEN $*"; }
secret='secret-of-the-serv[e]r'
PRETENDED="$(echo secret-of-the-serv)er" sleep 1000 &
read_all() { perl -e '
  my ($pid, $secret) = @ARGV;
  open my $maps, "<", "/proc/$pid/maps" or exit 1;
  open my $memory, "<", "/proc/$pid/mem" or exit 1;
  while (<$maps>) {
    my ($from, $to) = /^([0-9a-f]+)-([0-9a-f]+) rw/ or next;
    sysseek $memory, hex $from, 0;
    sysread $memory, my $data, hex($to) - hex $from or next;
    exit 0 if $data =~ /$secret/;
  }
  exit 1' "$1" "$secret"; }
until grep -aqs "$secret" /proc/$!/environ; do :; done
read_all $! && echo could read another process
kill $!

for pid in /proc/[0-9]*; do grep -aqs "$secret" "$pid/environ" && stolen "environment of $(cat $pid/cmdline)"; done
for file in environ mem maps auxv pagemap stack; do head -c 1 /proc/${server}/$file >/dev/null && stolen "$file"; done
ls /proc/${server}/fd /proc/${server}/map_files && stolen descriptors
ls -L /proc/${server}/root /proc/${server}/cwd && stolen folders
for task in /proc/${server}/task/*; do head -c 1 "$task/environ" && stolen a thread; done
read_all ${server} && stolen memory
# PTRACE_SEIZE, since PTRACE_ATTACH would stop the server.
perl -e 'exit(syscall(${CALLS[0]}, 0x4206, ${server}, 0, 0) == 0 ? 0 : 1)' && stolen a trace
perl -e '$_ = "x" x 8; my $v = pack "PQ", $_, 8; syscall(${CALLS[1]}, ${server}, $v, 1, $v, 1, 0); exit($! == 1)' && stolen process_vm_readv
perl -e 'my $p = syscall(${CALLS[2]}, ${server}, 0); exit($p > 0 && syscall(${CALLS[3]}, $p, 1, 0) >= 0 ? 0 : 1)' && stolen a descriptor
unshare --user --map-root-user head -c 1 /proc/${server}/environ >/dev/null && stolen as root of a user namespace

# SIGUSR1 opens Node's debugger.
kill -USR1 ${server} && echo could send a signal
for i in $(seq 20); do curl -s http://127.0.0.1:9229/json | grep -q serve.js && stolen a debugger && break; sleep 0.05; done
echo tried everything
`;

test("Without isolation, a task cannot read the memory and the environment of the server", async ({
  skip,
}) => {
  if (!(await import("koffi").catch(() => undefined))) skip("the optional dependency koffi is not installed");
  await using service = await startUnisolated();
  await applyDemo(service, { reader: reader(service.process.pid as number) });
  if (isRoot) chownSync(join(service.dataDir, "demo-scripts"), NOBODY, NOBODY);
  const said = bytesOf(await watchToEnd(service, (await runDemo(service, "reader")).name), STDOUT).toString();
  expect(said).toBe("could read another process\ncould send a signal\ntried everything\n");
});
