import { newId } from "./ids";
import type { AuditRecord, CloudState } from "./model";

/** The oldest audit events go first. */
const maxAuditEvents = 5_000;

/** Notes what was done in the account. */
export function recordAudit(state: CloudState, event: Omit<AuditRecord, "id">): void {
  state.audit.push({ id: newId(), ...event });
  state.audit.splice(0, state.audit.length - maxAuditEvents);
}
