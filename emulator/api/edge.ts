import { standIns } from "../faults/api";

/**
 * Clients that the edge before Lambda's API refuses by their User-Agent: 403, `error code: 1010`, before the API sees
 * the key. Several client projects met it with Python's default in 2026, and a User-Agent of their own mended it.
 */
const blockedAgents = /^Python-urllib\//i;

/** What the edge answers in place of the API; undefined where it lets the call pass. */
export function edgeAnswer(userAgent: string | undefined) {
  return blockedAgents.test(userAgent ?? "") ? standIns.blocked : undefined;
}
