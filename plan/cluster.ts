import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import type { DashboardPlan } from "./types";

/** Where Ray serves its dashboard while training goes on. */
const rayDashboard: DashboardPlan = { port: 8265 };

/** The workload's dashboard, or else that of its cluster. */
export function dashboardPlan({
  train,
  dashboard,
}: Pick<Experiment, "dashboard" | "train">): DashboardPlan | undefined {
  return dashboard ?? (train.cluster === undefined ? undefined : rayDashboard);
}

/** What doesn't go together with a cluster. */
export function clusterProblems({ train, sweep }: Pick<Experiment, "train" | "sweep">): Problem[] {
  const { cluster, processes } = train;
  if (cluster === undefined) return [];
  const problems: Problem[] = [];
  if (processes !== undefined) {
    const message = "train.cluster: ray starts the processes, so torchrun can't start them as well";
    const next = "Leave train.processes out, or train.cluster";
    problems.push({ field: "train.processes", value: processes, message, next });
  }
  if (sweep !== undefined) {
    const message = "each trial of a sweep trains on one machine by itself";
    const next = "Leave sweep out and let the command run Ray Tune, or leave train.cluster out";
    problems.push({ field: "train.cluster", value: cluster, message, next });
  }
  return problems;
}
