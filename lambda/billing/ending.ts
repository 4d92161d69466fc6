import type { Cloud } from "../api/connect";
import { LambdaApiError } from "../api/errors";
import { billedMinutes } from "./bill";
import type { Asked } from "./notes";

/** When the billing of an instance stopped. */
export interface Ending {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly by: "us" | "outside" | "preempted";
  /** Why it may have been earlier. */
  readonly doubt?: string;
}

/** What is known of an instance that is gone. */
export interface Gone {
  readonly id: string;
  /** Status by the API; undefined where it does not know it any more. */
  readonly status?: string;
  readonly launchedAt: string;
  /** Start of the billing in milliseconds. */
  readonly billedFrom: number;
  readonly asked?: Asked;
}

/**
 * Tells when the billing of an instance stopped: when Lambda took the call to terminate. That was between sending it and
 * its answer, which is exact enough unless a new minute began in between. Then, and where somebody else ended it, the
 * account's audit events tell. Without them it is the latest possible time, with the doubt in words.
 */
export async function endingOf(cloud: Cloud, gone: Gone): Promise<Ending> {
  const { asked, billedFrom, status } = gone;
  const now = cloud.clock.date();
  const latest = asked?.answeredAt ?? now;
  if (asked !== undefined && billedMinutes(billedFrom, asked.sentAt) === billedMinutes(billedFrom, latest)) {
    return { at: latest, by: "us" };
  }
  const told = await endInEvents(cloud, gone);
  const by = asked !== undefined ? "us" : told?.preempted === true || status === "preempted" ? "preempted" : "outside";
  if (told !== undefined && told.at <= now) return { at: told.at, by };
  const what = by === "us" ? "the answer to the call that terminated it was lost" : "it isn't known when it ended";
  return { at: latest, by, doubt: `${what}, so the bill runs until it was noticed` };
}

/** Most pages of events that are read: they are of the whole account. */
const mostPages = 20;

/** The end of an instance in the account's audit events; undefined where they do not tell, or cannot be read. */
async function endInEvents(
  cloud: Cloud,
  { id, launchedAt }: Gone,
): Promise<{ at: number; preempted: boolean } | undefined> {
  let page: string | undefined;
  try {
    for (let read = 0; read < mostPages; read += 1) {
      const { events, next } = await cloud.client.listInstanceEvents(launchedAt, page);
      const ends = events.filter(
        ({ action, resources }) => /terminat|preempt/i.test(action) && resources.some((name) => name.endsWith(id)),
      );
      const times = ends.flatMap(({ at, action }) =>
        at === undefined ? [] : [{ at: Date.parse(at), preempted: /preempt/i.test(action) }],
      );
      if (times.length > 0) return times.reduce((first, each) => (each.at < first.at ? each : first));
      if (next === undefined) return undefined;
      page = next;
    }
  } catch (error) {
    if (!(error instanceof LambdaApiError)) throw error;
  }
  return undefined;
}
