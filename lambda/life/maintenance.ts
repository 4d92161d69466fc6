import { createHash } from "node:crypto";
import { join } from "node:path";
import { keepJson, readJson } from "../../local/json";
import { cacheFolder } from "../../local/paths";
import type { Cloud } from "../api/connect";
import { isKind } from "../api/errors";
import type { MaintenanceEvent } from "../api/schemas";
import { duration } from "../api/waiting";

export type { MaintenanceEvent } from "../api/schemas";

/** The cloud's seconds for which an answer counts: maintenance is announced hours ahead, and each call takes a turn. */
const freshSeconds = 10 * 60;
/** The same where the account has no such call. */
const freshSecondsWithout = 6 * 3600;

/** Pages that are read of one answer: nobody has so many events, and no answer may hold up a command. */
const mostPages = 5;

interface Kept {
  /** Milliseconds since the epoch. */
  readonly askedAt: number;
  readonly freshSeconds: number;
  readonly events: readonly MaintenanceEvent[];
}

/**
 * Maintenance that is announced or under way for an instance's host, the first to begin first. All processes of this
 * machine share an answer of the API for ten minutes. Never fails: an account without the call, or an API that does not
 * answer, announces nothing.
 */
export async function maintenanceOf(cloud: Cloud, instanceId: string): Promise<MaintenanceEvent[]> {
  const events = await announced(cloud);
  const id = instanceId.replaceAll("-", "");
  return events
    .filter((event) => event.instanceIds.includes(id) && isAhead(event, cloud.clock.date()))
    .sort((a, b) => (a.notBefore ?? "").localeCompare(b.notBefore ?? ""));
}

async function announced(cloud: Cloud): Promise<readonly MaintenanceEvent[]> {
  const { clock, endpoint } = cloud;
  let identity: string;
  try {
    identity = `${endpoint.url} ${endpoint.apiKey()}`;
  } catch {
    return [];
  }
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  const file = join(cacheFolder(), "maintenance", `${hash}.json`);
  const kept = readKept(file);
  const age = Date.now() - (kept?.askedAt ?? Number.NaN);
  if (kept !== undefined && age >= 0 && age < clock.real(kept.freshSeconds) * 1000) return kept.events;
  const answer = await ask(cloud, kept?.events ?? []);
  keepJson(file, { askedAt: Date.now(), ...answer } satisfies Kept);
  return answer.events;
}

/** @param before What counts where the API does not answer. */
async function ask(cloud: Cloud, before: readonly MaintenanceEvent[]): Promise<Omit<Kept, "askedAt">> {
  try {
    return { freshSeconds, events: await readAll(cloud) };
  } catch (error) {
    // Older accounts may lack the call, or the key may not make it.
    const lacks = isKind(error, "not-found", "forbidden", "invalid-argument");
    return lacks ? { freshSeconds: freshSecondsWithout, events: [] } : { freshSeconds, events: before };
  }
}

async function readAll({ client }: Cloud): Promise<MaintenanceEvent[]> {
  const events: MaintenanceEvent[] = [];
  let next: string | undefined;
  for (let page = 0; page < mostPages && (page === 0 || next !== undefined); page += 1) {
    const answer = await client.listMaintenanceEvents(next);
    events.push(...answer.events);
    next = answer.next;
  }
  return events;
}

function readKept(file: string): Kept | undefined {
  const kept = readJson(file) as Partial<Kept> | undefined;
  const isWhole = typeof kept?.askedAt === "number" && typeof kept.freshSeconds === "number";
  return isWhole && Array.isArray(kept.events) ? (kept as Kept) : undefined;
}

/** Whether an event is still to come, or under way, by the API's date. */
function isAhead({ status, notAfter }: MaintenanceEvent, now: number): boolean {
  if (status === "completed" || status === "canceled") return false;
  return status === "in_progress" || notAfter === undefined || Date.parse(notAfter) > now;
}

/** Whether it is under way, may begin at any moment, or begins within so many seconds. */
export function beginsWithin({ status, notBefore }: MaintenanceEvent, seconds: number, now: number): boolean {
  return status === "in_progress" || notBefore === undefined || Date.parse(notBefore) - now <= seconds * 1000;
}

/** An event in words: when, and what Lambda says of it. */
export function maintenanceText(event: MaintenanceEvent, now: number): string {
  const { urgency, detail } = event;
  const kind = urgency === "emergency" ? "emergency maintenance" : "maintenance";
  return `${kind} ${whenText(event, now)}${detail === undefined ? "" : ` (${detail})`}`;
}

function whenText({ status, notBefore, notBeforeDeadline, notAfter }: MaintenanceEvent, now: number): string {
  const end = notAfter === undefined ? "" : `, until ${minute(notAfter)} at the latest`;
  if (status === "in_progress") return `is under way${end}`;
  if (notBefore === undefined) return `may begin at any moment${end}`;
  const left = Date.parse(notBefore) - now;
  const distance = left > 0 ? ` (in ${duration(left / 1000)})` : "";
  const latest = notBeforeDeadline === undefined ? "" : `, at the latest at ${minute(notBeforeDeadline)}`;
  return `begins at ${minute(notBefore)}${distance}${latest}${end}`;
}

const minute = (time: string): string => `${time.slice(0, 16)}Z`;
