import {
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, type Transport } from "@connectrpc/connect";
import { applyDemo } from "../helpers/demo.ts";
import type { TestService } from "../helpers/service.ts";
import { readContract } from "../rpc/rules/contract.ts";
import { answer } from "./call.ts";
import { ALWAYS, codesIn } from "./codes.ts";
import { connect } from "./connections.ts";
import { createGenerator } from "./generate.ts";
import { createHarvest } from "./harvest.ts";
import { createRandom } from "./random.ts";

/** An answer that the contract does not speak of. */
export interface Finding {
  method: string;
  code: string;
  message: string;
  /** Binary, in base64: `buf convert` reads it. */
  request: string;
}

export interface Outcome {
  findings: Finding[];
  /** How often which method answered what. */
  counts: Map<string, number>;
}

export interface Fuzzer {
  /** Sends so many requests, to methods by chance, some at a time. */
  run(count: number): Promise<Outcome>;
}

const AT_ONCE = 16;
/** After so many, what they deleted is made anew. */
const BATCH = 500;

export async function createFuzzer(service: TestService, seed: number): Promise<Fuzzer> {
  const random = createRandom(seed);
  const harvest = createHarvest(random);
  const contract = readContract();
  const methods = contract.methods.filter(isCallable);
  const generate = createGenerator({
    random,
    harvest,
    commentOf: contract.commentOf,
    repository: await seedDemo(service),
    fieldNames: methods.flatMap(({ input }) => input.fields.map(({ name }) => name)),
  });
  const allowed = new Map(
    methods.map((method) => [method, new Set([...ALWAYS, ...codesIn(contract.commentOf(method))])]),
  );

  async function one(transports: readonly Transport[], outcome: Outcome): Promise<void> {
    const method = random.pick(methods);
    const request = generate(method);
    const call = { method, request, transport: random.pick(transports), random };
    const thrown = await answer(call, (message) => harvest.learn(method.output, message));
    const code = thrown && Code[thrown.code];
    const key = `${method.parent.name}/${method.name} ${code ?? "OK"}`;
    outcome.counts.set(key, (outcome.counts.get(key) ?? 0) + 1);
    if (!thrown || allowed.get(method)?.has(thrown.code)) return;
    outcome.findings.push({
      method: `${method.parent.typeName}/${method.name}`,
      code: Code[thrown.code] ?? "",
      message: thrown.rawMessage,
      request: Buffer.from(toBinary(method.input, request)).toString("base64"),
    });
  }

  return {
    async run(count) {
      const outcome: Outcome = { findings: [], counts: new Map() };
      using connections = connect(service.url);
      for (let sent = 0; sent < count; sent += BATCH) {
        await seedDemo(service);
        let left = Math.min(BATCH, count - sent);
        const worker = async () => {
          while (left-- > 0) await one(connections.transports, outcome);
        };
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
      }
      return outcome;
    },
  };
}

/** What the server has logged as its own failures. */
export function errorsOf(service: TestService): string[] {
  const lines = service.log().split("\n");
  return lines.filter((line) => /^{"level":[56]0/.test(line));
}

/** The contract has no streams of requests. */
function isCallable(method: DescMethod): method is DescMethodUnary | DescMethodServerStreaming {
  return method.methodKind === "unary" || method.methodKind === "server_streaming";
}

/** What the real names are of; requests may have deleted it. */
function seedDemo(service: TestService): Promise<string> {
  const script = "echo ok";
  return applyDemo(service, {
    ok: { script, allowParallelTasks: true, allowOverrideArguments: true },
    "ok.sh": { script, name: "other", path: "ok.sh", allowParallelTasks: true },
  });
}
