import { existsSync } from "node:fs";
import { join } from "node:path";
import type { ManifestEntry } from "../../local/folder/manifest";
import { quotedFew } from "../../local/folder/manifest";
import { ResultsRecord, resultsFile } from "../transfer/results-file";
import type { RunRecord } from "../transfer/run-record";
import { choose } from "./choose";
import { type OutputPlaces, placeFinder, placesOf, type Writes } from "./places";

/** The run that is to go on. */
export interface Resumed extends Writes {
  /** Of its settings. */
  readonly hash: string;
  /** Seconds that it may take, all attempts together; undefined for no limit. */
  readonly maxSeconds?: number;
}

/** A file of results, and where on the instance it lay. */
export interface Placed {
  readonly entry: ManifestEntry;
  readonly place: string;
}

/** What of a run lies at home, verified. */
export interface AtHome {
  readonly ran: RunRecord;
  readonly source: string;
  readonly places: OutputPlaces;
  readonly files: readonly Placed[];
  /** When its newest checkpoint was written, in milliseconds since the epoch. */
  readonly newest: number;
  /** Whether all that lies at home is among the files. */
  readonly isWhole: boolean;
}

/** What is found of a run that may go on, and lines for people about what is not taken and why. */
export interface Found<T> {
  readonly found?: T;
  readonly notes: readonly string[];
}

/** What a folder of results holds of a run that has not finished. */
export async function resultsToResume(folder: string, run: Resumed): Promise<Found<AtHome>> {
  const file = join(folder, resultsFile);
  if (!existsSync(file)) return { notes: [] };
  let record: ResultsRecord;
  try {
    record = ResultsRecord.read(file);
  } catch (error) {
    return { notes: [`Nothing is resumed from ${folder}: ${(error as Error).message}`] };
  }
  const { run: ran, source, createdAt } = record.head;
  const why = reasonAgainst(ran, run);
  if (ran === undefined || why !== undefined) {
    return { notes: [`Nothing is resumed from ${folder}: ${why}. ${run.experiment} begins anew`] };
  }
  const chosen = await choose(folder, record.entries());
  const places = placesOf(ran, run);
  const placeOf = placeFinder(places, run);
  const files = chosen.entries.flatMap((entry): Placed[] => {
    const place = placeOf(entry.path);
    return place === undefined ? [] : [{ entry, place }];
  });
  const { damaged, left } = chosen;
  const notes = [
    ...(damaged.length === 0
      ? []
      : [`Passed over, since they aren't as the manifest in ${folder} has them (SHA-256): ${quotedFew(damaged)}`]),
    ...(left.length === 0 ? [] : [`Earlier checkpoints stay at home (${left.length}): ${quotedFew(left)}`]),
  ];
  if (!files.some(({ place }) => !place.startsWith("run/"))) return { notes };
  const newest = chosen.newest ?? Date.parse(createdAt);
  return { found: { ran, source, places, files, newest, isWhole: files.length === record.count }, notes };
}

/** Why a run does not go on from what a record tells of; undefined where it does. */
export function reasonAgainst(ran: RunRecord | undefined, run: Resumed): string | undefined {
  if (ran === undefined) return "its manifest doesn't tell what ran (an earlier release wrote it)";
  if (ran.experiment !== run.experiment) return `it holds results of ${ran.experiment}`;
  if (ran.hash !== run.hash) return "they are of other settings (command, config or variables)";
  const last = ran.attempts.at(-1);
  if (last === undefined) return "they tell of no start";
  if (last.exitCode === 0 && last.stopReason === undefined) return `${run.experiment} had finished`;
  const used = ran.attempts.reduce((sum, { seconds = 0 }) => sum + seconds, 0);
  if (run.maxSeconds !== undefined && used >= run.maxSeconds) {
    return `${run.experiment} had taken its train.maxHours (${used} of ${run.maxSeconds} s; raise it to go on)`;
  }
  return undefined;
}
