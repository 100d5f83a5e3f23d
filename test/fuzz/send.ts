import type { DescMethodServerStreaming, DescMethodUnary, Message } from "@bufbuild/protobuf";
import type { Code, Transport } from "@connectrpc/connect";
import { breakRequest, jsonOf } from "./broken.ts";
import { answer, LONGEST_WATCH_MS, PATIENCE_MS } from "./call.ts";
import { type Connections, isJson } from "./connections.ts";
import type { Harvest } from "./harvest.ts";
import type { Random } from "./random.ts";
import { rawCall } from "./raw-call.ts";

export interface Sending {
  random: Random;
  method: DescMethodUnary | DescMethodServerStreaming;
  request: Message;
}

export interface Ended {
  protocol: string;
  /** Whether the request was malformed. */
  isBroken: boolean;
  /** `none`: the response broke off or was malformed. */
  end: Code | "OK" | "none";
  message: string;
}

const BROKEN = 0.15;

/** Sends a request by a random protocol, unchanged or broken, and adds values of the response to the harvest. */
export function createSender(url: string, { transports, agent }: Connections, harvest: Harvest) {
  return ({ random, method, request }: Sending): Promise<Ended> => {
    if (random.chance(BROKEN)) return sendBroken({ random, method, request });
    const canBeJson = jsonOf(method, request) !== undefined;
    const protocol = random.pick(Object.keys(transports).filter((name) => canBeJson || !isJson(name)));
    return sendBy(protocol, transports[protocol] as Transport, { random, method, request });
  };

  async function sendBy(protocol: string, transport: Transport, sending: Sending): Promise<Ended> {
    const { method, request } = sending;
    const thrown = await answer({ ...sending, transport }, (message) => {
      harvest.learn(method, request, message);
      if (method.name.startsWith("Delete")) harvest.forget((request as unknown as { name: string }).name);
    }).catch((error) => ({ code: "none" as const, rawMessage: String(error) }));
    return { protocol, isBroken: false, end: thrown?.code ?? "OK", message: thrown?.rawMessage ?? "" };
  }

  async function sendBroken({ random, method, request }: Sending): Promise<Ended> {
    const broken = breakRequest(random, method, request);
    const patienceMs = method.methodKind === "unary" ? PATIENCE_MS : 1 + random.below(LONGEST_WATCH_MS);
    const protocol = `broken ${broken.contentType}`;
    try {
      const { code, message } = await rawCall(
        `${url}/${method.parent.typeName}/${method.name}`,
        broken,
        agent,
        patienceMs,
      );
      return { protocol, isBroken: true, end: code ?? "OK", message };
    } catch (error) {
      return { protocol, isBroken: true, end: "none", message: String(error) };
    }
  }
}
