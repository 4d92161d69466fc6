import type { MaintenanceRecord } from "../../state/model";
import { isoTime } from "../../state/time";
import type { Handlers } from "./context";
import { pageOf } from "./pages";

const timeOf = (ms: number | undefined): string | null => (ms === undefined ? null : isoTime(ms));

/**
 * A maintenance event as the API shows it. Path, fields, page token, statuses and urgencies are those that NVIDIA's
 * NVSentinel reads (health-monitors/csp-health-monitor, merged in August 2026): `maintenance_type` is null there, and
 * times may be. Lambda's published document, version 1.10.0, lacks the call.
 */
const present = (event: MaintenanceRecord) => ({
  id: event.id,
  entity_lrns: event.instanceIds.map((id) => `lrn:cloud:instance:${id}`),
  maintenance_type: null,
  workspace_id: "0".repeat(31).concat("1"),
  detail: event.detail,
  urgency: event.urgency,
  status: event.status,
  not_before: timeOf(event.notBefore),
  not_before_deadline: timeOf(event.notBeforeDeadline),
  not_after: timeOf(event.notAfter),
  last_updated: isoTime(event.lastUpdated),
});

export const maintenanceHandlers: Handlers<"listMaintenanceEvents"> = {
  listMaintenanceEvents: ({ state, query }) => {
    const { page, next } = pageOf(state.maintenance, query.page_token);
    return { maintenance_events: page.map(present), page_token: next };
  },
};
