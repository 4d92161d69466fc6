import { devCopy, jobCopy } from "../../remote/copies";
import { readStatus } from "../../remote/run";
import { withSession } from "../../remote/session";
import { sideBySide } from "../stack/of-each";
import { isWithRun, jobsOf, type StackView, type WithRun } from "../stack/stack-view";

/** A job that runs beside one of the stack's runs, seen as a run of its own. */
export function jobOf(beside: WithRun, name: string): WithRun {
  const { node: _node, maxSeconds: _most, idleSeconds: _idle, ...run } = beside.run;
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
export async function jobsBeside(view: WithRun): Promise<WithRun[]> {
  const { jobs = [] } = await withSession(view.access, (session) => readStatus(session, view.run.experiment));
  return jobs.map(({ experiment }) => jobOf(view, experiment));
}

/** A stack's view, with the jobs of a name as runs of its. The state doesn't know jobs: the machines are asked. */
export async function withJobs(view: StackView, name: string): Promise<StackView> {
  const asking = sideBySide(jobsOf(view).filter(isWithRun), (job) => jobsBeside(job).catch(() => []));
  const found = (await Promise.all(asking)).flat();
  return { ...view, runs: [...view.runs, ...found.filter((job) => job.name === name)] };
}

/** What a command runs in, of a copy of the workspace. */
export function copyOf(workspace: string): { readonly of: string; readonly at: string } {
  return { of: workspace, at: devCopy(workspace) };
}
