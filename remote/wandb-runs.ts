import { existsSync } from "node:fs";
import { join, posix } from "node:path";
import { plainText } from "./log-text";
import { shellQuote } from "./quote";

const offlineRun = /^(?:.*\/)?wandb\/offline-run-[\w.-]+\/run-[\w.-]+\.wandb$/;
const mostNamed = 6;

/** The folder of a W&B run that was written without a connection, by the path of its file; undefined for any other file. */
export function offlineRunOf(path: string): string | undefined {
  return offlineRun.test(path) ? posix.dirname(path) : undefined;
}

/**
 * How to upload W&B runs that came home, a line; none where there are none, or all of them were uploaded.
 * @param runs Folders among the results, with / in them.
 * @param folder Of the results, absolute.
 * @param shown The same as people write it.
 */
export function syncLines(runs: readonly string[], folder: string, shown: string): string[] {
  const left = runs.filter((run) => !existsSync(join(folder, run, `${fileOf(run)}.synced`)));
  if (left.length === 0) return [];
  const named = left.slice(0, mostNamed).map((run) => asWord(plainText(join(shown, run))));
  const more = left.length > mostNamed ? ` (and ${left.length - mostNamed} more folders named offline-run-…)` : "";
  return [`To upload what W&B recorded offline: wandb sync ${named.join(" ")}${more}`];
}

/** `offline-run-<date>-<id>` holds `run-<id>.wandb`. */
function fileOf(run: string): string {
  return `run-${run.slice(run.lastIndexOf("-") + 1)}.wandb`;
}

function asWord(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : shellQuote(text);
}
