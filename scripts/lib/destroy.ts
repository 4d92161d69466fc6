import { connectCloud } from "../../components/lambda/api/connect";
import { isEnding } from "../../components/lambda/api/schemas";
import { ensureCloud, stopCloud } from "../../emulator/control";
import { localFolder } from "../../plan/paths";
import { loseResultsVariable } from "../../remote/results";
import { clearStaleLock, isEmulated, pulumi } from "./pulumi";
import { removeSshFiles } from "./ssh-files";
import { stackView } from "./stack-view";

/** How to destroy a stack. */
export interface DestroyOptions {
  /** Terminate even if the results cannot be brought home. */
  readonly loseResults?: boolean;
  /** Leave the emulated cloud running. */
  readonly keepCloud?: boolean;
  /** Ask nothing, on a real account either. */
  readonly unasked?: boolean;
  /** Further arguments of `pulumi destroy`. */
  readonly args?: readonly string[];
}

/** `pulumi destroy` with everything that it needs: stops the run, brings the results home, terminates. Gives its exit code. */
export async function destroyStack(stack: string, options: DestroyOptions = {}): Promise<number> {
  const emulated = isEmulated(stack);
  await clearStaleLock(stack);
  if (emulated) await ensureCloud(localFolder());
  if (options.loseResults === true) process.env[loseResultsVariable] = (await stackView(stack)).run?.experiment;
  // On the emulated cloud nothing costs anything, so nothing is asked.
  const unasked = emulated || options.unasked === true ? ["--yes", "--skip-preview"] : [];
  const code = await pulumi(["destroy", "--stack", stack, ...unasked, ...(options.args ?? [])]);
  if (code === 0) removeSshFiles(stack);
  if (code === 0 && emulated && options.keepCloud !== true && (await isIdle())) await stopCloud(localFolder());
  return code;
}

/** Whether no other stack has an instance on the emulated cloud. */
async function isIdle(): Promise<boolean> {
  const instances = await connectCloud("emulated").client.listInstances();
  return instances.every(({ status }) => isEnding(status));
}
