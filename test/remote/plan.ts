import type { MachineInForce } from "../../components/standing";
import type { StandingPlan } from "../../plan/standing";
import type { EnvironmentPlan, EvaluationPlan, Job, RunPlan } from "../../plan/types";
import { renderSetup } from "../../remote/scripts";

/** A plan for the fake workload `work` of these tests; only what matters to a test is given. */
export function testPlan(
  changes: { run?: Partial<RunPlan>; evaluation?: EvaluationPlan } & Partial<Omit<Job, "run" | "evaluation">> = {},
): Job {
  const { run, ...rest } = changes;
  return {
    stack: "test",
    machine: "machine",
    name: "run",
    cloud: {
      endpoint: "emulated",
      instanceTypes: ["cpu_4x_general"],
      regions: ["us-east-1"],
      capacityTimeoutSeconds: 0,
      sshSources: "auto",
      sshPort: 22,
    },
    workload: { name: "work", folder: "/nowhere", source: "/nowhere", extraFiles: {}, protectedPaths: [], hash: "w" },
    environment: {
      manager: "none",
      answer: "",
      timeoutSeconds: 60,
      variables: {},
      inputs: [],
      hash: "e1",
    },
    gate: { gpu: "optional", minDiskGiB: 0, modules: [], timeoutSeconds: 60 },
    results: { directory: "results/test" },
    onChange: "wait",
    ...rest,
    run: {
      experiment: "exp",
      command: "true",
      directory: ".",
      variables: {},
      outputs: "outputs",
      firstStepPattern: "step +[0-9]+",
      firstStepTimeoutSeconds: 20,
      waitFor: "first-step",
      graceSeconds: 5,
      hash: "r1",
      ...run,
    },
  };
}

/** The machine of such a plan, with its run as the only one. */
export function machineOf(job: Job): MachineInForce {
  const { name, machine, run, evaluation, dashboard } = job;
  return { ...job, runs: [{ name, machine, run, evaluation, dashboard }] };
}

/** What of such a plan lives on its machine. */
export function standingPlan(job: Job): StandingPlan {
  const { workload, dataset, environment, gate, results } = job;
  return { workload, dataset, environment, gate, results, runs: machineOf(job).runs };
}

/** An evaluation that takes the best checkpoint and leaves figures. */
export const testEvaluation: EvaluationPlan = {
  command:
    'test -f {checkpoint} && echo \'{"score": 0.5, "loss": NaN}\' > outputs/metrics.json && echo evaluated {checkpoint}',
  checkpoint: "checkpoints/best*.pt",
  metrics: "metrics/*.json",
  timeoutSeconds: 20,
};

/** The setup script of {@link testPlan} with another environment. */
export const setupPlan = (environment: Partial<EnvironmentPlan>): string =>
  renderSetup({ ...testPlan({ environment: { ...testPlan().environment, ...environment } }), runs: [] });
