import { join } from "node:path";
import { recordHead } from "./transfer/results-file";
import { parseSource } from "./transfer/results-source";
import type { RunStatus } from "./types";

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
  if (isTrial !== true || (state === "finished" && stopReason === undefined)) return undefined;
  const home = recordHead(join(directory, run.experiment));
  const last = home?.run?.attempts.at(-1);
  const isWhole = last?.exitCode === 0 && last.stopReason === undefined;
  if (home === undefined || !isWhole || parseSource(home.source)?.instance === instanceId) return undefined;
  return join(directory, `part.${instanceId.slice(0, 8)}`, run.experiment);
}
