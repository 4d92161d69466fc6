import type { Job, MachinePlan } from "../../plan/types";
import type { Instance } from "../instance";
import type { Run } from "../run";

/** A machine of the stack. */
interface NamedMachine {
  readonly plan: Pick<MachinePlan, "machine">;
  readonly instance: Instance;
}

/** A run of the stack. */
interface PlannedJob {
  readonly job: Job;
  readonly run: Run;
}

/** The stack's outputs: values where it has one machine or one run, and maps by machine or experiment where it has several. */
export function outputsOf(
  stack: string,
  machines: readonly NamedMachine[],
  runs: readonly PlannedJob[],
): Record<string, unknown> {
  const byMachine = (value: (machine: NamedMachine) => unknown): unknown =>
    oneOrMap(machines, ({ plan }) => plan.machine, value);
  // A training on several machines is one run, told by its first rank.
  const leading = runs.filter(({ job }) => (job.run.node?.rank ?? 0) === 0);
  // A sweep is one experiment, with a worker on each machine.
  const sweep = runs.find(({ job }) => job.worker?.study === job.machine);
  const nameOf = ({ job }: PlannedJob): string => (sweep === undefined ? job.run.experiment : job.machine);
  const byRun = (value: (run: PlannedJob) => unknown): unknown => oneOrMap(leading, nameOf, value);
  return {
    instanceId: byMachine(({ instance }) => instance.id),
    instanceType: byMachine(({ instance }) => instance.instanceType),
    region: byMachine(({ instance }) => instance.region),
    instanceIp: byMachine(({ instance }) => instance.ip),
    pricePerHour: byMachine(({ instance }) => instance.pricePerHour),
    sshCommand: `npm run ssh -- --stack ${stack}`,
    experiment: sweep?.job.run.experiment ?? byRun(({ job }) => job.run.experiment),
    runStatus: byRun(({ run }) => run.state),
    logPath: byRun(({ run }) => run.logPath),
    attachCommand: `npm run attach -- --stack ${stack}`,
    ...(runs.some(({ job }) => job.dashboard) && { dashboardUrl: `npm run dashboard -- --stack ${stack}` }),
    resultsDirectory: sweep?.job.results.directory ?? byRun(({ run }) => run.directory),
    metrics: byRun(({ run }) => run.metrics),
  };
}

function oneOrMap<T>(all: readonly T[], name: (each: T) => string, value: (each: T) => unknown): unknown {
  const [only, ...more] = all;
  if (only !== undefined && more.length === 0) return value(only);
  return Object.fromEntries(all.map((each) => [name(each), value(each)]));
}
