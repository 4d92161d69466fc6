import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noteEnded } from "../components/resources/run-notes";
import { findOrphans, type Orphan } from "../lambda/account/orphans";
import { readAccount, removeOrphan } from "../lambda/account/reaping";
import type { Cloud } from "../lambda/api/connect";
import type { Instance } from "../lambda/api/schemas";
import { bringHome, endRun, homeNotes, homeText, requireResults } from "../remote/results";
import { accountAt, readable } from "./stack/account";
import { type Backup, backupsOf, readBackup } from "./stack/backups";
import { runStatus } from "./stack/look";
import { pulumiOutput, stackFileConfig, stackName } from "./stack/pulumi";
import { stackView } from "./stack/read";
import { placesOfLost } from "./stack/rescue";
import { type JobView, jobsOf } from "./stack/stack-view";
import { allStates, straysOf } from "./stack/states";
import { CommandError, exitCodes, operatorCommand, run } from "./terminal/command";
import { printing } from "./terminal/listener";

const description =
  "Recovers an instance whose state was lost. Imports the newest state that knows it, from the file backend's own backups " +
  "or from a file. Without any state, one of your recoveryKeys still downloads the results.";

const command = operatorCommand("adopt", description)
  .option("--from <file>", "state to import: from `pulumi stack export`, or a backup of the file backend")
  .option("--identity <file>", "without any state: log in with this private key and download the results")
  .option("--end", "with --identity: also stop the run, evaluate and terminate, as `down` would")
  .option("--instance <id>", "instance to recover, if several are lost")
  .option("--endpoint <url>", "`emulated`, or the API's base URL (default: as the stack's file says)");

interface Options {
  readonly stack?: string;
  readonly from?: string;
  readonly identity?: string;
  readonly end?: boolean;
  readonly instance?: string;
  readonly endpoint?: string;
}

/** An instance that carries our claim. */
interface Lost {
  readonly cloud: Cloud;
  readonly instance: Instance;
  /** Everything that carries the same claim. */
  readonly orphan: Orphan;
  readonly what: string;
}

run(async () => {
  command.parse();
  const options = command.opts<Options>();
  const stack = await stackName(options.stack);
  const lost = await findLost(stack, options);
  if (options.identity !== undefined) return rescue(stack, lost, options.identity, options.end === true);
  const backup = chooseBackup(stack, lost, options.from);
  await importState(stack, backup);
  const view = await stackView(stack);
  console.log(`Stack ${stack} is as it was at ${backup.time} (${backup.file}), and knows ${lost.what} again.`);
  const jobs = jobsOf(view).filter(({ instance }) => instance?.id === lost.instance.id);
  if (jobs.length === 0) {
    console.log("It was launched after that. `npm run up` finds it by its name and continues with it.");
    return exitCodes.ok;
  }
  for (const job of jobs) await tellRun(job);
  return exitCodes.ok;
});

/** Says how a run is, and what to do next. */
async function tellRun(job: JobView): Promise<void> {
  const status = await runStatus(job);
  const state = status === undefined ? "not started" : "state" in status ? status.state : `unknown: ${status.reason}`;
  const run = job.label === undefined ? "Run" : `Run (${job.label})`;
  console.log(`${run}: ${state}. \`npm run results\` downloads its results; \`npm run down\` terminates the instance.`);
}

/** Brings the results home without a state, and with `end` ends everything of the claim. */
async function rescue(stack: string, lost: Lost, identity: string, end: boolean): Promise<number> {
  const { cloud, instance, orphan, what } = lost;
  for (const place of await placesOfLost(cloud, instance, stack, identity)) {
    const home = await printing(console.log, (listener) =>
      end ? endRun(place, "destroy", listener) : bringHome(place, listener),
    );
    if (home === undefined) {
      console.log(`${place.run.experiment} was never started on ${what}, so there are no results.`);
      continue;
    }
    if (end) noteEnded(place, home);
    console.log(`${homeText(home, home.folder)} (run: ${home.status.state})`);
    for (const line of homeNotes(home)) console.log(line);
    if (end) requireResults(place, home);
  }
  if (!end) {
    console.log(`${what} keeps running and billing. To end it as \`down\` would, add --end to this command.`);
    return exitCodes.ok;
  }
  await printing(console.log, (listener) => removeOrphan(cloud, orphan, listener));
  return exitCodes.ok;
}

/** The one instance of the stack that is billed and that no reachable state knows. */
async function findLost(stack: string, { endpoint, instance }: Options): Promise<Lost> {
  const cloud = accountAt(endpoint ?? stackFileConfig(stack).endpoint);
  const account = await readable("The account", () => readAccount(cloud));
  // A state that cannot be read may be the very one that is to be replaced.
  const states = await allStates().catch((error: Error) => {
    console.error(`Couldn't read all states: ${error.message}`);
    return [];
  });
  const orphans = findOrphans(account, {
    known: (known) => states.some(({ text }) => text.includes(known)),
    anyState: true,
    minAgeHours: 0,
    includeUnknownAge: true,
    now: cloud.clock.date(),
  });
  const ids = new Set(orphans.flatMap(({ things }) => things.map(({ id }) => id)));
  const lost = account.instances.filter(({ id }) => ids.has(id));
  const wanted = lost.filter(({ id, tags }) => (instance === undefined ? tags.stack === stack : id === instance));
  const others = lost.map(({ id, name }) => `${name} (${id})`).join(", ");
  if (wanted.length === 0) {
    const there =
      others === ""
        ? "no instance that is missing from every state"
        : `only these that are missing from every state: ${others}`;
    const what = instance === undefined ? `stack ${stack}` : `id ${instance}`;
    const stray = straysOf(account.instances, states).find((each) => each.stack === stack || each.id === instance);
    if (stray !== undefined) {
      const to = `-- --stack ${stray.stack}`;
      throw new CommandError(
        `Stack ${stray.stack} has a state. It launched instance ${stray.id}, which that state doesn't know yet. ` +
          `\`npm run up ${to}\` adopts the instance, \`npm run down ${to}\` terminates it.`,
      );
    }
    throw new CommandError(`Nothing of ${what} to adopt: the account has ${there}.`, exitCodes.nothing);
  }
  const [one, second] = wanted;
  if (one === undefined || second !== undefined) {
    throw new CommandError(`Several instances of stack ${stack} are lost: ${others}. Choose one with --instance.`);
  }
  const orphan = orphans.find(({ things }) => things.some(({ id }) => id === one.id));
  if (orphan === undefined) throw new CommandError(`Instance ${one.id} carries no claim of this project.`);
  return { cloud, instance: one, orphan, what: `instance ${one.id} (${one.instanceType?.name} in ${one.region})` };
}

/** The newest state that knows the claim. */
function chooseBackup(stack: string, { orphan, what }: Lost, from: string | undefined): Backup {
  const { claim } = orphan;
  const known = from === undefined ? backupsOf(stack) : readBackup(from);
  const found = known.find(({ text }) => text.includes(`"${claim}"`));
  if (found !== undefined) return found;
  const where = from ?? "the backend's backups";
  throw new CommandError(
    `${what} carries ${claim}, which is in no state in ${where}. Only that state held the keys to log in. ` +
      "If you have a copy of it: npm run adopt -- --from <file>. If you have a private key to one of the stack's " +
      "recoveryKeys: npm run adopt -- --identity <file>. Otherwise its results are lost; to terminate it: npm run reap.",
  );
}

/** @throws CommandError where the stack has another state already, or the passphrase is not the one. */
async function importState(stack: string, backup: Backup): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-adopt-"));
  try {
    await refuseOther(stack);
    await pulumiOutput(["stack", "select", "--create", stack]).catch((error: Error) => {
      // A state that is there but cannot be read cannot be selected; it is replaced all the same.
      if (!/checkpoint|JSON/i.test(error.message)) throw error;
    });
    const file = join(folder, "state.json");
    writeFileSync(file, backup.text, { mode: 0o600 });
    await pulumiOutput(["stack", "import", "--stack", stack, "--file", file]);
  } catch (error) {
    if (!/incorrect passphrase|decrypt/i.test((error as Error).message)) throw error;
    throw new CommandError(
      `The secrets in ${backup.file} are encrypted with another passphrase. Set PULUMI_CONFIG_PASSPHRASE (or _FILE) to ` +
        `the one that stack ${stack} had then. ${(error as Error).message}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function refuseOther(stack: string): Promise<void> {
  const exported = await pulumiOutput(["stack", "export", "--stack", stack]).catch(() => "");
  if (!exported.includes("pulumi-nodejs:dynamic/lambda-train:")) return;
  throw new CommandError(
    `Stack ${stack} has another state now, which would be lost. Rename it first ` +
      `(\`npm run pulumi -- stack rename ${stack}-2 --stack ${stack}\`), then run \`npm run adopt\` again.`,
  );
}
