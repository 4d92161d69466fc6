import { ensureCloud, stopCloud } from "../../emulator/control";
import { connectCloud } from "../../lambda/api/connect";
import { isEnding } from "../../lambda/api/schemas";
import { localFolder } from "../../local/paths";
import { loseResultsVariable } from "../../remote/results";
import { CommandError, exitCodes } from "../terminal/command";
import { currentState } from "./backups";
import { claimsOfExport } from "./claims";
import { forgetEndings } from "./endings";
import { deletable } from "./file-systems";
import { mendAfterKill, noteCut, noteWhole } from "./killed-cli";
import { previewedIfProtected, refuseProtected } from "./protection";
import { isEmulated, pulumi } from "./pulumi";
import { readView } from "./read";
import { forgetRepairs } from "./repair-memory";
import { removeSshFiles } from "./ssh-files";
import { type Choice, chosenJob, type StackView } from "./stack-view";

/** How to destroy a stack. */
export interface DestroyOptions extends Pick<Choice, "run"> {
  /** Terminate even if the results of the run can't be downloaded: the only one, or the one that is chosen. */
  readonly loseResults?: boolean;
  /** Name of the stack's file system, which is to be deleted as well, with all that it holds. */
  readonly deleteFileSystem?: string;
  /** Leave the emulated cloud running. */
  readonly keepCloud?: boolean;
  /** Ask nothing, on a real account either. */
  readonly unasked?: boolean;
  /** Further arguments of `pulumi destroy`. */
  readonly args?: readonly string[];
  /** Asked right before anything is destroyed. */
  readonly isWanted?: () => boolean;
}

/** `pulumi destroy` with everything it needs: stops the run, downloads the results, terminates. Gives its exit code. */
export async function destroyStack(stack: string, options: DestroyOptions = {}): Promise<number> {
  const emulated = isEmulated(stack);
  const args = options.args ?? [];
  const partial = args.some(isPartial);
  await mendAfterKill(stack);
  // Where the state cannot be read, the destroy says so.
  const state = partial ? "{}" : await currentState(stack).catch(() => "{}");
  refuseProtected(stack, state);
  if (emulated) await ensureCloud(localFolder());
  const { deleteFileSystem: fileSystem } = options;
  if (fileSystem !== undefined && partial) {
    throw new CommandError("--delete-file-system goes with a whole `down`, not with a part of it.", exitCodes.usage);
  }
  const view = fileSystem === undefined ? undefined : await readView(stack).catch(() => undefined);
  const deleteFileSystem = fileSystem === undefined ? undefined : await deletable(stack, fileSystem, view);
  if (options.loseResults === true) {
    process.env[loseResultsVariable] = givenUp(await readView(stack).catch(() => undefined), options);
  }
  // On the emulated cloud nothing costs anything, so nothing is asked. The preview of a part sees what is protected.
  const without = partial ? ["--yes"] : ["--yes", "--skip-preview"];
  const unasked = emulated || options.unasked === true ? without : [];
  if (options.isWanted?.() === false) return exitCodes.failed;
  const all = [...unasked, ...endingAll(state), ...args];
  const code = await pulumi(["destroy", "--stack", stack, ...(partial ? await previewedIfProtected(stack, all) : all)]);
  if (code !== 0) noteCut(stack);
  else if (!partial) {
    await requireEmpty(stack);
    noteWhole(stack);
    removeSshFiles(stack);
    forgetRepairs(stack);
    forgetEndings(stack);
    await deleteFileSystem?.();
  }
  if (code === 0 && emulated && options.keepCloud !== true && (await isIdle())) await stopCloud(localFolder());
  return code;
}

/** One machine of a fleet that must stay, as for results that can't be downloaded, keeps no other one. */
function endingAll(state: string): string[] {
  return claimsOfExport(state).instanceIds.length > 1 ? ["--continue-on-error"] : [];
}

/** The experiment whose results may be lost. @throws CommandError where there are several, and none or no such is chosen. */
function givenUp(view: StackView | undefined, { run }: DestroyOptions): string | undefined {
  return view?.runs.length ? chosenJob(view, { run }, "run").run?.experiment : undefined;
}

/** Whether an argument of `pulumi destroy` makes it leave something, as it should. */
function isPartial(arg: string): boolean {
  return /^(--(target|exclude|preview-only)|-t)/.test(arg);
}

/**
 * The engine ends a destroy that was interrupted with 0, and says that everything is deleted.
 * @throws CommandError where something is left
 */
async function requireEmpty(stack: string): Promise<void> {
  const exported = await currentState(stack).catch((error: Error) => {
    // With `--remove` the stack itself is gone.
    if (error.message.includes("no stack named")) return '{"deployment":{}}';
    throw error;
  });
  const { deployment } = JSON.parse(exported) as {
    deployment: { resources?: readonly { readonly type: string; readonly id?: string }[] };
  };
  const { resources = [] } = deployment;
  if (resources.length === 0) return;
  const instances = resources.filter(({ type }) => type.endsWith("dynamic/lambda-train:Instance"));
  const lives = instances.map(({ id }) => ` Instance ${id} is one of them.`).join("");
  throw new CommandError(
    `${resources.length} resources of ${stack} still exist, although Pulumi reported success above.${lives} ` +
      "Run `npm run down` again; until then they are billed.",
  );
}

/** Whether no other stack has an instance on the emulated cloud. */
async function isIdle(): Promise<boolean> {
  const instances = await connectCloud("emulated").client.listInstances();
  return instances.every(({ status }) => isEnding(status));
}
