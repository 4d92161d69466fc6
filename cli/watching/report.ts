import { type InstalledWatch, installedWatches, watchName } from "../../local/watch-record";
import { scriptOf } from "./install";
import { knownLook, type LastLook } from "./last-look";
import { schedulerOf } from "./schedulers";

/** An installed watch, as `doctor` tells of it. */
export interface WatchReport extends Pick<InstalledWatch, "stack" | "by" | "every"> {
  /** `ok`; `late`: it should have looked again by now; `missing`: the scheduler doesn't know it any more. */
  readonly state: "ok" | "late" | "missing";
  /** null: none yet. */
  readonly last: LastLook | null;
  /** About when it looks again: ISO 8601 in UTC. null: not known. */
  readonly next: string | null;
}

/** The watches of this project that are installed here. */
export function watchReports(now = Date.now()): WatchReport[] {
  return installedWatches().map((installed) => {
    const { stack, by, every, local } = installed;
    const name = watchName(stack);
    const last = knownLook(stack, local) ?? null;
    const next = last === null ? null : Date.parse(last.at) + every * 60_000;
    const isThere = schedulerOf(by).isThere({ name, script: scriptOf(name) });
    // A look may take as long as a `down`, and the machine may have slept.
    const isLate = next !== null && now > next + 15 * 60_000;
    const state = isThere ? (isLate ? "late" : "ok") : "missing";
    return { stack, by, every, state, last, next: next === null ? null : new Date(next).toISOString() };
  });
}

/** The same, a line each, and one where there is none. */
export function watchLines(reports: readonly WatchReport[]): string[] {
  if (reports.length === 0) return ["watch: not installed (npm run watch -- --install)"];
  return reports.map(({ stack, by, every, state, last, next }) => {
    const marks = {
      ok: "installed",
      late: "LATE",
      missing: `MISSING in ${by}: npm run watch -- --stack ${stack} --install`,
    };
    const looked = last === null ? "no look yet" : `last look ${last.at} (exit code ${last.code})`;
    const failed = last?.error === undefined ? "" : `: ${last.error}`;
    const again = next === null || state !== "ok" ? "" : `, next about ${next}`;
    return `watch of ${stack}: ${marks[state]}, by ${by} every ${every} min, ${looked}${failed}${again}`;
  });
}
