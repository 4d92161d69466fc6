import { spentAt } from "../../lambda/billing/forecast";
import { hashText } from "../../local/folder/hashes";
import { codeNow, jobCopy, syncCopy } from "../../remote/copies";
import { isStarted, type JobAsked, NameTaken, startJob } from "../../remote/jobs";
import { shellQuote } from "../../remote/quote";
import { bringSecrets } from "../../remote/secrets";
import { withRetries } from "../../remote/transfer/retry";
import { numberOf } from "../../remote/trials";
import { jobName } from "../../remote/types";
import { sideBySide } from "../stack/of-each";
import { secretsFor } from "../stack/secrets";
import { isWithRun, jobsOf, type MachineView, type StackView } from "../stack/stack-view";
import { CommandError, exitCodes } from "../terminal/command";
import { sentText, type WithCode } from "./code";
import { jobsBeside } from "./jobs";

/** A job as somebody asks for it. */
export interface Asked {
  readonly name: string;
  readonly words: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Starts a job beside a run: brings the code as it is now to a folder of its own there, and starts the command in it.
 * @throws CommandError where its name can't be had.
 */
export async function startBeside(view: WithCode, whole: StackView, asked: Asked): Promise<void> {
  const { name, words, variables } = asked;
  const { access, code, run, workspace, machine } = view;
  if (!jobName.test(name)) {
    throw new CommandError(
      `--detach: "${name}" can't name a job. Use up to 63 letters, digits, - and _, the first a letter or digit.`,
      exitCodes.usage,
    );
  }
  await requireFree(name, view, whole);
  const tree = await codeNow(code);
  const job: JobAsked = {
    name,
    of: run.experiment,
    hash: hashText(JSON.stringify([run.experiment, words, variables, tree.hash])),
    workspace,
    command: `exec ${words.map(shellQuote).join(" ")}`,
    variables,
    graceSeconds: run.graceSeconds,
    spentAt: spentOn(view, whole),
    include: run.include,
    exclude: run.exclude,
  };
  const secrets = await secretsFor(whole.stack, run);
  try {
    await withRetries(access, async (session) => {
      if (await isStarted(session, job)) {
        console.log(`${name} was started before, with this command on this code: nothing was done.`);
        return;
      }
      const folder = jobCopy(name, workspace);
      console.error(`~/${folder}: ${sentText(await syncCopy(session, code, tree, { folder, outputs: run.outputs }))}`);
      if (Object.keys(secrets).length > 0) await bringSecrets(session, secrets);
      await startJob(session, job);
      console.log(
        `${name} runs on ${whole.machines.length === 1 ? "the instance" : machine}, beside ${run.experiment}.`,
      );
    });
  } catch (error) {
    if (!(error instanceof NameTaken)) throw error;
    throw new CommandError(`${error.message} Give the job another name.`, exitCodes.usage);
  }
  const of = `${whole.stack === "dev" ? "" : `--stack ${whole.stack} `}--run ${name}`;
  console.log(`Follow it with \`npm run logs -- ${of}\`, end it with \`npm run stop -- ${of}\`.`);
}

/**
 * Sees that nothing else of the stack has or will have this name, under which a job's results lie at home. A machine that
 * gives no answer is left out: whatever it has is kept at home beside the job's.
 * @throws CommandError that says what has it.
 */
async function requireFree(name: string, view: WithCode, whole: StackView): Promise<void> {
  const taken = (what: string): CommandError =>
    new CommandError(`${name} is ${what}. Give the job another name.`, exitCodes.usage);
  const { stack, runs } = whole;
  if (runs.some((other) => [other.name, other.run.experiment].includes(name))) throw taken(`a run of stack ${stack}`);
  const sweep = runs.find(({ worker, run }) => worker !== undefined && numberOf(name, run.experiment) !== undefined);
  if (sweep !== undefined) throw taken(`the name of a trial of ${sweep.run.experiment}`);
  const others = jobsOf(whole)
    .filter(isWithRun)
    .filter(({ machine }) => machine !== view.machine);
  const looks = await Promise.allSettled(sideBySide(others, (each) => jobsBeside(each, { attempts: 1 })));
  const known = looks.flatMap((look) => (look.status === "fulfilled" ? look.value : []));
  const other = known.find((job) => job.name === name);
  if (other !== undefined) throw taken(`a job on ${other.machine}`);
}

/** When an instance will have cost its share of the budget, in milliseconds since the epoch; undefined without a budget. */
export function spentOn({ instance }: Pick<MachineView, "instance">, { machines }: StackView): number | undefined {
  const { launchedAt, priceCents, budgetDollars } = instance ?? {};
  if (launchedAt === undefined || priceCents === undefined || budgetDollars === undefined) return undefined;
  return spentAt([{ launchedAt, priceCents }], budgetDollars / machines.length);
}
