import type { AuditRecord } from "../../state/model";
import { isoTime } from "../../state/time";
import { Envelope, type Handlers } from "./context";
import { pageOf } from "./pages";

const account = "lrn:cloud:account:00000000000000000000000000000001";
const owner = "lrn:cloud:identity:00000000000000000000000000000001";
const workspace = "lrn:cloud:workspace:00000000000000000000000000000001";

const present = (event: AuditRecord) => ({
  service_name: "cloud",
  resource_name: event.resource,
  action: event.action,
  catalog_version: "2025-09-06",
  event_id: event.id,
  event_time: isoTime(event.at),
  actor_lrn: owner,
  actor_email: "owner@example.com",
  actor_display_name: "Owner",
  resource_lrns: event.resourceIds.map((id) => `lrn:cloud:${event.resource}:${id}`),
  resource_owner_lrn: account,
  request_api_key_lrn: event.apiKeyId ? `lrn:cloud:api_key:${event.apiKeyId}` : null,
  workspace_lrn: workspace,
  client_ip: event.clientIp ?? null,
  client_user_agent: event.userAgent ?? null,
  surface: event.apiKeyId ? "api" : "system",
  result: { status: "success", status_code: event.statusCode },
  additional_details: event.details,
});

export const auditHandlers: Handlers<"getAuditEvents"> = {
  getAuditEvents: ({ state, query }) => {
    const from = query.start ? Date.parse(query.start) : Number.NEGATIVE_INFINITY;
    const to = query.end ? Date.parse(query.end) : Number.POSITIVE_INFINITY;
    const events = state.audit.filter(
      (event) =>
        from <= event.at &&
        event.at <= to &&
        (query.resource_type === undefined || query.resource_type === `cloud.${event.resource}`),
    );
    const { page, next } = pageOf(events, query.page_token);
    return new Envelope({ data: page.map(present), page_token: next });
  },
};
