import { ensureCloud } from "../../emulator/control";
import { localFolder } from "../../local/paths";
import { tellAfterUp } from "../notify/notify";
import { forgetEndBegun, knownEndings } from "./endings";
import { shutOut } from "./fleet";
import { mendAfterKill, noteWhole } from "./killed-cli";
import { selectedHere, stateFile } from "./local-state";
import { lookAtAccount, sawGone } from "./look";
import { previewedIfProtected, protectionOf } from "./protection";
import { isEmulated, pulumi, pulumiOutput } from "./pulumi";
import { readView, stackView } from "./read";
import { aliasesOf, refreshSshFiles } from "./ssh-files";
import { distinctMachines, jobsOf } from "./stack-view";

/** How to bring a stack up. */
export interface UpOptions {
  /** Makes the stack where there is none. Default: it is there. */
  readonly created?: () => Promise<void>;
  /** Ask nothing, on a real account either. */
  readonly unasked?: boolean;
  /** Look at every resource again. Default: where an instance is gone, or an update was killed. */
  readonly refresh?: boolean;
  /** Further arguments of `pulumi up`. */
  readonly args?: readonly string[];
}

/** `pulumi up` with everything it needs. Gives its exit code. */
export async function upStack(stack: string, options: UpOptions = {}): Promise<number> {
  const wasCut = await mendAfterKill(stack);
  await options.created?.();
  forgetEndBegun(stack);
  const emulated = isEmulated(stack);
  if (emulated) await ensureCloud(localFolder());
  // On the emulated cloud nothing costs anything, so nobody is asked. On a real account `pulumi up` asks as usual.
  const unasked = emulated || options.unasked === true ? ["--yes", "--skip-preview"] : [];
  const refresh = wasCut || options.refresh === true ? ["--refresh"] : await refreshWhereEnded(stack);
  const args = await previewedIfProtected(stack, [...unasked, ...refresh, ...(options.args ?? [])]);
  const code = await pulumi(["up", "--stack", stack, ...args]);
  if (code === 0) noteWhole(stack);
  else {
    if (!refresh.includes("--refresh")) await refreshWhereEnded(stack);
    await tellOfProtection(stack);
  }
  // What is known of an end may be older than what was started now.
  if (knownEndings(stack).length > 0) await readView(stack).catch(() => undefined);
  await refreshSshHost(stack);
  await tellAfterUp(stack);
  return code;
}

/** The engine names what it refused to end or replace; how to go on differs here. */
async function tellOfProtection(stack: string): Promise<void> {
  const protection = await protectionOf(stack);
  if (protection === undefined) return;
  const { what, lift } = protection;
  console.error(
    `${what}, and an \`up\` that would end or replace what is protected is refused. If that is wanted, first ${lift}.`,
  );
}

/** What an `up` would do. Gives the exit code. */
export async function previewStack(
  stack: string,
  { created, args = [] }: Pick<UpOptions, "created" | "args">,
): Promise<number> {
  await created?.();
  return pulumi(["preview", "--stack", stack, ...(await refreshWhereEnded(stack)), ...args]);
}

/** Makes the stack where there is none. One that was named is not selected, as with `pulumi up --stack`. */
export async function createStack(stack: string, select: boolean): Promise<void> {
  if (stateFile(stack) !== undefined && (!select || selectedHere() === stack)) return;
  const args = select ? ["select", "--create", stack] : ["init", "--no-select", stack];
  await pulumiOutput(["stack", ...args]).catch((error: Error) => {
    if (!error.message.includes("already exists")) throw error;
  });
}

/** The stack may have another instance now, also where the rest failed. */
async function refreshSshHost(stack: string): Promise<void> {
  if (aliasesOf(stack).length === 0) return;
  for (const machine of (await stackView(stack)).machines) refreshSshFiles(stack, machine);
}

/** If an instance is gone, or a fleet's firewall is not as it was, the engine must refresh. Says so. */
async function refreshWhereEnded(stack: string): Promise<string[]> {
  // Where the state cannot be read, the `up` says so.
  const view = await readView(stack).catch(() => undefined);
  if (view === undefined || view.machines.every(({ instance }) => instance === undefined)) return [];
  const [account, shut] = await Promise.all([lookAtAccount(view), shutOut(view)]);
  const gone = distinctMachines(jobsOf(view)).filter((each) => each.instance !== undefined && sawGone(account, each));
  for (const { instance, resultsFolder } of gone) {
    const home = resultsFolder === undefined ? "" : ` The results downloaded so far are in ${resultsFolder}.`;
    console.log(
      `Instance ${instance?.id} is gone: it terminated itself, or somebody else terminated it.${home} ` +
        "`up` launches another one and starts over; `npm run down` cleans up.",
    );
  }
  if (gone.length === 0 && shut > 0) {
    console.log(
      `Somebody changed the firewall: ${shut} of ${view.places?.length} machines can't reach the others. \`up\` restores the rules.`,
    );
  }
  return gone.length === 0 && shut === 0 ? [] : ["--refresh"];
}
