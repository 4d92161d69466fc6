import { callAgent } from "./agent";
import type { SshSession } from "./session";

/**
 * Tells the instance what time it is here. Limits in time, as that of the budget, are told by this clock, and the
 * instance's may be another: it notes by how many seconds it is ahead.
 * @param now Milliseconds since the epoch.
 */
export async function tellTime(session: SshSession, now = Date.now()): Promise<void> {
  const document = { now: Math.round(now / 1000) };
  await callAgent(session, { verb: "clock", document }, "Telling the time", { timeoutSeconds: 60 });
}
