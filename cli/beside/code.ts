import { join, relative } from "node:path";
import { megabytes } from "../../local/folder/progress";
import { cacheFolder } from "../../local/paths";
import type { CodeHere } from "../../remote/copies";
import type { Uploaded } from "../../remote/transfer/upload";
import type { Reachable, RunView } from "../stack/stack-view";
import { CommandError, exitCodes } from "../terminal/command";

/** A machine with the code that its workspace was uploaded from, and the run that trains there. */
export type WithCode = Reachable & RunView & { readonly code: CodeHere };

/**
 * The code whose changes a command is to bring.
 * @throws CommandError where there is none to bring yet, or where it comes from a git URL.
 */
export function requireCode(view: Reachable): WithCode {
  const { code, run, workspace } = view;
  if (code === undefined || run === undefined || workspace === undefined) {
    throw new CommandError(
      "The workload isn't on the instance yet, so there is nothing to change. `npm run up` uploads it and starts the run.",
      exitCodes.nothing,
    );
  }
  if (!relative(join(cacheFolder(), "workloads"), code.source).startsWith("..")) {
    throw new CommandError(
      "workload.source is a git URL, so this machine has no folder whose changes could be brought. Set workload.source to " +
        "a clone of it, then run `npm run up`.",
      exitCodes.usage,
    );
  }
  // What was asked for is there now. A job has a copy of the workspace for its own.
  return { ...view, workspace: code.workspace } as WithCode;
}

/** What was sent, in words. */
export function sentText({ sentFiles, sentBytes, removed, seconds }: Uploaded): string {
  if (sentFiles === 0 && removed === 0) return "no file has changed";
  const gone = removed > 0 ? `, removed ${removed}` : "";
  return `sent ${sentFiles} file${sentFiles === 1 ? "" : "s"}, ${megabytes(sentBytes)} MB in ${seconds.toFixed(1)} s${gone}`;
}
