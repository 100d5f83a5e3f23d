import { timestampDate } from "@bufbuild/protobuf/wkt";
import type { CallOptions } from "@connectrpc/connect";
import type { Command } from "commander";
import { type Node, NodeSchema, NodeStateSchema } from "../../../gen/signalman/v1/node_pb.ts";
import type { Signalman } from "../../client/connect.ts";
import { UsageError } from "../errors.ts";
import { pages } from "../pages.ts";
import { type Session, withSession } from "../session.ts";
import { jsonLine } from "../terminal/json.ts";
import { print } from "../terminal/output.ts";
import { printable } from "../terminal/printable.ts";
import { table, terminalWidth } from "../terminal/table.ts";
import { duration } from "../terminal/time.ts";

const NODE = "id of the node, its first characters, or the name of its machine";

export function addNodes(program: Command): void {
  const nodes = program
    .command("nodes")
    .description("list the servers of this database with their states and tasks")
    .action(
      withSession(async (session) => {
        const all = await listNodes(session);
        if (session.json) for (const one of all) await print(jsonLine(NodeSchema, one));
        else for (const line of nodeTable(all)) await print(line);
        return 0;
      }),
    );
  nodes
    .command("forget")
    .description(
      "remove a node that will not come back: its tasks end as LOST and block their templates no longer",
    )
    .argument("<node>", NODE)
    .action(
      withSession(async (session, text: string) => {
        const { name, hostName } = await findNode(session, text);
        const { endedTasks } = await session.call(({ nodes }, call) => nodes.forgetNode({ name }, call));
        if (session.json) return 0;
        await print(`${name} (${printable(hostName)}) is removed`);
        for (const task of endedTasks) await print(`${task} ended as LOST`);
        return 0;
      }),
    );
  program
    .command("drain")
    .description("let a node start no more tasks; its running tasks go on")
    .argument("<node>", NODE)
    .action(changing(({ nodes }, name, call) => nodes.drainNode({ name }, call)));
  program
    .command("undrain")
    .description("let a drained node start tasks again")
    .argument("<node>", NODE)
    .action(changing(({ nodes }, name, call) => nodes.undrainNode({ name }, call)));
}

/** Makes the action of a command that changes a node and prints it. */
function changing(change: (client: Signalman, name: string, call: CallOptions) => Promise<{ node?: Node }>) {
  return withSession(async (session, text: string) => {
    const { name } = await findNode(session, text);
    const { node } = await session.call((client, call) => change(client, name, call));
    if (!node) return 0;
    if (session.json) await print(jsonLine(NodeSchema, node));
    else await print(`${name} is ${stateWord(node)}; running tasks: ${node.usedSlots}`);
    return 0;
  });
}
function listNodes(session: Session): Promise<Node[]> {
  const read = (page: object) => session.call(({ nodes }, call) => nodes.listNodes(page, call));
  return Array.fromAsync(pages(Number.POSITIVE_INFINITY, read, (page) => page.nodes));
}

/** Returns the node that an argument names. @throws UsageError if none or several match. */
async function findNode(session: Session, text: string): Promise<Node> {
  const id = text.replace(/^nodes\//, "");
  const all = await listNodes(session);
  const found = all.filter(({ name, hostName }) => name.startsWith(`nodes/${id}`) || hostName === text);
  const [node] = found;
  if (node && id !== "" && found.length === 1) return node;
  const matches = found.length === 0 ? "no node" : `${found.length} nodes`;
  throw new UsageError(
    `${JSON.stringify(text)} names ${matches}; expected ${NODE}, as \`${session.command("nodes")}\` lists them`,
  );
}

const stateWord = ({ state }: Node): string => NodeStateSchema.value[state]?.localName ?? String(state);

function nodeTable(nodes: readonly Node[]): string[] {
  const rows = nodes.map((node) => [
    node.name.replace("nodes/", ""),
    printable(node.hostName),
    stateWord(node),
    `${node.usedSlots}/${node.slots}`,
    node.heartbeatTime ? duration(Date.now() - timestampDate(node.heartbeatTime).getTime()) : "",
    node.version,
    printable(noteOf(node)),
  ]);
  return table(["NODE", "MACHINE", "STATE", "TASKS", "SEEN", "VERSION", "NOTE"], rows, {
    width: terminalWidth(),
  });
}

function noteOf({ problem, waitingPlans, lostTasks, tags, roles }: Node): string {
  return [
    problem,
    lostTasks > 0 ? `${lostTasks} LOST tasks may still run` : "",
    waitingPlans > 0 ? `${waitingPlans} plans wait` : "",
    tags.length > 0 ? `tags ${tags.join(", ")}` : "",
    roles.length === 1 ? `${roles[0]} only` : "",
  ]
    .filter(Boolean)
    .join("; ");
}
