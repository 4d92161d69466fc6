import { ensureCloud } from "../emulator/control";
import { localFolder } from "../local/paths";
import { restartVariable } from "../plan/standing";
import { tellAfterUp } from "./notify/notify";
import { shutOut } from "./stack/fleet";
import { mendAfterKill, noteWhole } from "./stack/killed-cli";
import { selectedHere, stateFile } from "./stack/local-state";
import { lookAtAccount, sawGone } from "./stack/look";
import { isEmulated, pulumi, pulumiOutput, stackName } from "./stack/pulumi";
import { readView, stackView } from "./stack/read";
import { aliasesOf, refreshSshFiles } from "./stack/ssh-files";
import { distinctMachines, jobsOf } from "./stack/stack-view";
import { operatorCommand, run } from "./terminal/command";

const command = operatorCommand(
  "up",
  "Starts or resumes the run, or applies changes: `pulumi up` with everything it needs.",
)
  .option("--preview-only", "show what would happen and what it would cost, and launch nothing")
  .option("--restart", "apply changes to a running run: stop it at a checkpoint, evaluate, download, start it again")
  .allowUnknownOption()
  .argument("[args...]", "more arguments for `pulumi up`");

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; previewOnly?: boolean; restart?: boolean }>();
  if (options.restart === true) process.env[restartVariable] = "yes";
  const stack = await stackName(options.stack);
  const wasCut = options.previewOnly !== true && (await mendAfterKill(stack));
  await createStack(stack, options.stack === undefined);
  const emulated = isEmulated(stack);
  if (options.previewOnly === true) {
    return pulumi(["preview", "--stack", stack, ...(await refreshWhereEnded(stack)), ...command.args]);
  }
  if (emulated) await ensureCloud(localFolder());
  // On the emulated cloud nothing costs anything, so nobody is asked. On a real account `pulumi up` asks as usual.
  const unasked = emulated ? ["--yes", "--skip-preview"] : [];
  const refresh = wasCut ? ["--refresh"] : await refreshWhereEnded(stack);
  const code = await pulumi(["up", "--stack", stack, ...unasked, ...refresh, ...command.args]);
  if (code === 0) noteWhole(stack);
  else if (!refresh.includes("--refresh")) await refreshWhereEnded(stack);
  await refreshSshHost(stack);
  await tellAfterUp(stack);
  return code;
});

/** Makes the stack where there is none. One that was named is not selected, as with `pulumi up --stack`. */
async function createStack(stack: string, select: boolean): Promise<void> {
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
