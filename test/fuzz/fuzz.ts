import {
  type DescMethod,
  type DescMethodServerStreaming,
  type DescMethodUnary,
  type Message,
  toBinary,
} from "@bufbuild/protobuf";
import { Code, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { readContract } from "../rpc/rules/contract.ts";
import type { DemoService } from "../support/demo.ts";
import type { TestService } from "../support/service.ts";
import { ALWAYS, codesIn, JSON_GROWTH, MAX_BYTES, TOO_BIG } from "./codes.ts";
import { connect } from "./connections.ts";
import { prepareDemo } from "./demo.ts";
import { createGenerator } from "./generate.ts";
import { createHarvest } from "./harvest.ts";
import { createRandom, seedOf } from "./random.ts";
import { createSender, type Ended } from "./send.ts";
import { type Counts, count } from "./table.ts";

/** A response that the contract does not document. */
export interface Finding {
  /**
   * Number of the request. With the seed it repeats the request: FUZZ_FROM this number, FUZZ_COUNT 1. Names and tokens from
   * the service are those of the new run; `request` has the old ones.
   */
  number: number;
  method: string;
  protocol: string;
  /** Code of the response; none: the response broke off. */
  code: string;
  message: string;
  /** The request before it was broken, if it was, as base64: `buf convert` reads it. */
  request: string;
}

export interface Outcome {
  readonly findings: Finding[];
  readonly counts: Counts;
}

export interface Fuzzer {
  /** Names of all RPCs, as in `counts`. */
  readonly rpcs: readonly string[];
  /** Counts of all requests so far. */
  readonly outcome: Outcome;
  /** Sends this many further requests to random methods, several at a time. */
  run(count: number): Promise<void>;
}

export interface FuzzerOptions {
  seed: number;
  /** The number of the first request. */
  from?: number;
}

const AT_ONCE = 16;
/** Number of requests after which deleted resources are created again. */
const BATCH = 500;

export async function createFuzzer(service: TestService, { seed, from = 0 }: FuzzerOptions): Promise<Fuzzer> {
  const harvest = createHarvest();
  const demo = await prepareDemo(overOneConnection(service), harvest);
  const { methods: all, commentOf } = readContract();
  const methods = all.filter(isCallable);
  const generate = createGenerator({ harvest, commentOf, repository: demo.repository });
  const allowed = new Map(
    methods.map((method) => [method, new Set([...ALWAYS, ...codesIn(commentOf(method))])]),
  );
  const outcome: Outcome = { findings: [], counts: new Map() };
  let next = from;

  async function one(send: ReturnType<typeof createSender>): Promise<void> {
    const number = next++;
    const random = createRandom(seedOf(seed, number));
    const method = random.pick(methods);
    const request = generate(method, random);
    const rpc = rpcOf(method);
    const ask = () =>
      send({ random, method, request }).catch(
        (error): Ended => ({ protocol: "unknown", isBroken: false, end: "none", message: String(error) }),
      );
    let ended = await ask();
    if (ended.end === Code.Unavailable) {
      // On a loaded machine PostgreSQL may miss a deadline. The contract promises that the caller may try again.
      count(outcome.counts, rpc, nameOf(ended));
      ended = await ask();
    }
    count(outcome.counts, rpc, nameOf(ended));
    if (isAllowed(method, request, ended)) return;
    const bytes = Buffer.from(toBinary(method.input, request));
    const { protocol, message } = ended;
    const finding = {
      number,
      method: rpc,
      protocol,
      code: nameOf(ended),
      message,
      request: bytes.toString("base64"),
    };
    outcome.findings.push(finding);
  }

  function isAllowed(method: DescMethod, request: Message, { end, isBroken }: Ended): boolean {
    if (end === "OK") return true;
    if (end === "none") return false;
    // A broken request may announce more bytes than it has.
    const mostBytes = toBinary(method.input, request).length * JSON_GROWTH;
    if (
      end === TOO_BIG &&
      (isBroken || mostBytes > MAX_BYTES[method.methodKind === "unary" ? "unary" : "stream"])
    )
      return true;
    // A frame that is cut before its message is a request without one (grpc/doc/statuscodes.md).
    if (end === Code.Unimplemented && isBroken) return true;
    return allowed.get(method as Method)?.has(end) ?? false;
  }

  return {
    rpcs: methods.map(rpcOf).sort(),
    outcome,
    async run(times) {
      using connections = connect(service.url);
      const send = createSender(service.url, connections, harvest);
      for (let sent = 0; sent < times; sent += BATCH) {
        await demo.renew();
        let left = Math.min(BATCH, times - sent);
        const worker = async () => {
          while (left-- > 0) await one(send);
        };
        await Promise.all(Array.from({ length: AT_ONCE }, worker));
      }
    },
  };
}

/** A test service opens a connection for each client; this keeps them from being counted as leaks. */
function overOneConnection({ url: baseUrl, dataDir }: TestService): DemoService {
  const transport = createGrpcTransport({ baseUrl });
  return { dataDir, client: (desc) => createClient(desc, transport) };
}

const rpcOf = ({ parent, name }: DescMethod): string => `${parent.name}/${name}`;
const nameOf = ({ end }: Ended): string => (typeof end === "number" ? (Code[end] ?? String(end)) : end);

/** Returns the faults that the server has logged. */
export function errorsOf(service: TestService): string[] {
  const lines = service.log().split("\n");
  return lines.filter((line) => /^{"level":[56]0/.test(line));
}

type Method = DescMethodUnary | DescMethodServerStreaming;

/** The contract has no streams of requests. */
function isCallable(method: DescMethod): method is Method {
  return method.methodKind === "unary" || method.methodKind === "server_streaming";
}
