import { join } from "node:path";
import { recordHead } from "./transfer/results-file";
import { parseSource } from "./transfer/results-source";
import type { RunRecord } from "./transfer/run-record";
import type { RunStatus } from "./types";

/** Why a trial was stopped that was worse than the others; see scripts/agent/sweep/. */
export const prunedReason = "pruned";

/** Why a trial can be stopped that is over then. One that was stopped for another reason goes on elsewhere. */
const lastReasons = [prunedReason, "limit", "idle"];

/** A run on a machine, and where its results go. */
interface Part {
  readonly instanceId: string;
  readonly run: { readonly experiment: string };
  readonly directory: string;
  readonly isTrial?: true;
}

/**
 * Where a machine's part of a trial goes that another machine has brought to its end, such as one that was given back; undefined
 * where the part is all there is of the trial. The whole trial keeps its own folder, whichever of the two comes home last.
 */
export function folderOfPart(
  { isTrial, instanceId, run, directory }: Part,
  { state, stopReason }: Pick<RunStatus, "state" | "stopReason">,
): string | undefined {
  if (isTrial !== true || isOver(state === "finished", stopReason)) return undefined;
  const home = recordHead(join(directory, run.experiment));
  if (home === undefined || !isWholeTrial(home.run) || parseSource(home.source)?.instance === instanceId)
    return undefined;
  return join(directory, `part.${instanceId.slice(0, 8)}`, run.experiment);
}

/** Whether results are of a trial that has come to its end, and not of a machine's part of it. */
export function isWholeTrial(ran: RunRecord | undefined): boolean {
  const last = ran?.attempts.at(-1);
  return isOver(last?.exitCode === 0, last?.stopReason);
}

function isOver(hasSucceeded: boolean, stopReason: string | undefined): boolean {
  return stopReason === undefined ? hasSucceeded : lastReasons.includes(stopReason);
}
