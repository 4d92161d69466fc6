import * as pulumi from "@pulumi/pulumi";
import { installedWatch } from "../../local/watch-record";
import type { Plan } from "../../plan/types";
import { downVariable, endText } from "../../plan/when-done";

/**
 * Tells what ends the bill when the runs have ended: in a preview, and at an `up` by which somebody counts on an end. Where
 * nobody does, an `up` without a word says that it is left to `down`.
 */
export async function tellEnd({ stack, machines, runs }: Plan): Promise<void> {
  const upDown = (process.env[downVariable] ?? "") !== "";
  const whenDone = runs.some(({ run }) => run.whenDone === "down");
  if (!pulumi.runtime.isDryRun() && !upDown && !whenDone) return;
  const { selfTermination, protect: isProtected } = machines[0]?.cloud ?? {};
  await pulumi.log.info(endText({ upDown, whenDone, selfTermination, watch: installedWatch(stack), isProtected }));
}
