import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import {
  AuditEventSchema,
  type ListAuditEventsRequest,
  type ListAuditEventsResponse,
  ListAuditEventsResponseSchema,
} from "../../gen/signalman/v1/audit_pb.ts";
import { scopesOf } from "../access/rights.ts";
import type { AuditEvent, AuditQuery, AuditTerm } from "../store/audit.ts";
import type { Call } from "./call.ts";
import { isEquality, isOrder, parseFilter, parseTime, refuseFilter } from "./filter.ts";
import { resourceName } from "./names.ts";
import { pageOf, pageSize, readPageToken } from "./query-token.ts";

export interface ListAuditEventsDeps {
  listAuditEvents(query: AuditQuery): Promise<AuditEvent[]>;
}

const ID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TEXTS = ["caller", "method", "resource", "outcome", "project", "template"] as const;

export async function listAuditEvents(
  deps: ListAuditEventsDeps,
  { filter, pageToken, pageSize: asked }: ListAuditEventsRequest,
  { caller }: Pick<Call, "caller">,
): Promise<ListAuditEventsResponse> {
  const limit = pageSize(asked);
  const query = ["audit", filter];
  const rows = await deps.listAuditEvents({
    scopes: scopesOf(caller, "audit.read"),
    terms: parseFilter(filter, termOf),
    afterId: readPageToken(pageToken, query, ID) || null,
    limit: limit + 1,
  });
  const { page, nextPageToken } = pageOf(rows, limit, query, ({ id }) => id);
  return create(ListAuditEventsResponseSchema, { events: page.map(eventMessage), nextPageToken });
}

function termOf(field: string, op: string, value: string): AuditTerm {
  const text = TEXTS.find((one) => one === field);
  if (text && isEquality(op)) return { field: text, op, value };
  if (field === "time" && isOrder(op)) return { field, op, value: parseTime(value) };
  throw refuseFilter(
    `unknown term ${field} ${op}; expected ${TEXTS.join(", ")} (=, !=), time (=, !=, <, <=, >, >=)`,
  );
}

const eventMessage = ({ time, project, template, ...rest }: AuditEvent) =>
  create(AuditEventSchema, {
    ...rest,
    time: timestampFromDate(time),
    template: template === "" ? "" : resourceName("templates", project, template),
  });
