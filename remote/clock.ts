import { callAgent } from "./agent";
import type { SshSession } from "./session";

/**
 * Tells the instance what time it is. Limits in time, as that of the budget, are told by the API's clock, and
 * the instance's may be another: it notes by how many seconds it is ahead.
 * @param now The date by the API, in milliseconds since the epoch.
 */
export async function tellTime(session: SshSession, now: number): Promise<void> {
  const document = { now: Math.round(now / 1000) };
  await callAgent(session, { verb: "clock", document }, "Telling the time", { timeoutSeconds: 60 });
}
