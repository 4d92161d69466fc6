import { devCopy, jobCopy } from "../../remote/copies";
import { readStatus } from "../../remote/run";
import { type RetryOptions, withRetries } from "../../remote/transfer/retry";
import { sideBySide } from "../stack/of-each";
import { isWithRun, jobsOf, type StackView, type WithRun } from "../stack/stack-view";
import { CommandError, exitCodes } from "../terminal/command";

/** A job that runs beside one of the stack's runs, seen as a run of its own. */
export function jobOf(beside: WithRun, name: string): WithRun {
  const { node: _node, maxSeconds: _most, idleSeconds: _idle, bucket: _bucket, ...run } = beside.run;
  return {
    ...beside,
    name,
    run: { ...run, experiment: name },
    evaluation: undefined,
    worker: undefined,
    workspace: jobCopy(name, beside.workspace),
    isJob: true,
  };
}

/** The jobs beside a run. */
export async function jobsBeside(view: WithRun, retries: RetryOptions = {}): Promise<WithRun[]> {
  const { jobs = [] } = await withRetries(view.access, (session) => readStatus(session, view.run.experiment), retries);
  return jobs.map(({ experiment }) => jobOf(view, experiment));
}

/**
 * A stack's view, with the jobs of a name as runs of its. The state doesn't know jobs: the machines are asked.
 * @throws CommandError where none has it, and one of them gives no answer.
 */
export async function withJobs(view: StackView, name: string): Promise<StackView> {
  const looks = await Promise.allSettled(sideBySide(jobsOf(view).filter(isWithRun), lookBeside));
  const found = looks.flatMap((look) => (look.status === "fulfilled" ? look.value : []));
  const named = found.filter((job) => job.name === name);
  const failed = looks.find((look) => look.status === "rejected");
  if (named.length === 0 && failed !== undefined)
    throw new CommandError((failed.reason as Error).message, exitCodes.unreachable);
  return { ...view, runs: [...view.runs, ...named] };
}

/** Over a lost connection or two: whoever asks for a run that isn't there is to be told soon. */
function lookBeside(view: WithRun): Promise<WithRun[]> {
  return jobsBeside(view, { attempts: 3 });
}

/** What a command runs in, of a copy of the workspace. */
export function copyOf(workspace: string): { readonly of: string; readonly at: string } {
  return { of: workspace, at: devCopy(workspace) };
}
