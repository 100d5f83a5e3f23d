import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  type DrainNodeRequest,
  DrainNodeResponseSchema,
  type ForgetNodeRequest,
  ForgetNodeResponseSchema,
  type GetNodeRequest,
  GetNodeResponseSchema,
  type ListNodesRequest,
  ListNodesResponseSchema,
  type Node,
  NodeSchema,
  NodeState,
  type UndrainNodeRequest,
  UndrainNodeResponseSchema,
} from "../../gen/signalman/v1/node_pb.ts";
import type { NodeView } from "../store/nodes/nodes.ts";
import type { ChangedTask } from "../store/tasks/transitions.ts";
import type { Actor } from "../task/caller.ts";
import type { Call } from "./call.ts";
import { lastPart, taskName } from "./names.ts";
import { pageOf, pageSize, readPageToken } from "./query-token.ts";

export interface NodesDeps {
  /** @throws Failure not_found. */
  getNode(id: string): Promise<NodeView>;
  listNodes(page: { after: string; limit: number }): Promise<NodeView[]>;
  /** Sets whether the node may start tasks. @throws Failure not_found. */
  drainNode(id: string, draining: boolean, actor: Actor): Promise<NodeView>;
  /** Returns the tasks whose status has changed. @throws Failure not_found, precondition. */
  forgetNode(id: string, actor: Actor): Promise<ChangedTask[]>;
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const QUERY = ["nodes"];

export const nodeMethods = {
  async getNode(deps: NodesDeps, { name }: GetNodeRequest) {
    return create(GetNodeResponseSchema, { node: nodeMessage(await deps.getNode(lastPart(name))) });
  },
  async listNodes(deps: NodesDeps, request: ListNodesRequest) {
    const limit = pageSize(request.pageSize);
    const rows = await deps.listNodes({
      after: readPageToken(request.pageToken, QUERY, ID),
      limit: limit + 1,
    });
    const { page, nextPageToken } = pageOf(rows, limit, QUERY, ({ id }) => id);
    return create(ListNodesResponseSchema, { nodes: page.map(nodeMessage), nextPageToken });
  },
  async drainNode(deps: NodesDeps, { name }: DrainNodeRequest, { actor }: Call) {
    const node = await deps.drainNode(lastPart(name), true, actor);
    return create(DrainNodeResponseSchema, { node: nodeMessage(node) });
  },
  async undrainNode(deps: NodesDeps, { name }: UndrainNodeRequest, { actor }: Call) {
    const node = await deps.drainNode(lastPart(name), false, actor);
    return create(UndrainNodeResponseSchema, { node: nodeMessage(node) });
  },
  async forgetNode(deps: NodesDeps, { name }: ForgetNodeRequest, { actor }: Call) {
    const moved = await deps.forgetNode(lastPart(name), actor);
    const ended = moved.filter(({ status }) => status !== "WAITING");
    return create(ForgetNodeResponseSchema, { endedTasks: ended.map(taskName) });
  },
};

function nodeMessage({ id, state, startTime, heartbeatTime, stopTime, ...rest }: NodeView): Node {
  return create(NodeSchema, {
    ...rest,
    name: `nodes/${id}`,
    state: NodeState[state],
    startTime: timestampFromDate(startTime),
    heartbeatTime: timestampFromDate(heartbeatTime),
    stopTime: stopTime ? timestampFromDate(stopTime) : undefined,
  });
}
