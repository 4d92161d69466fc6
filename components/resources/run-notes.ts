import { relative } from "node:path";
import { BillNotes } from "../../lambda/billing/notes";
import { projectFolder } from "../../local/paths";
import type { SeenInBucket } from "../../remote/bucket/look";
import type { BroughtHome } from "../../remote/home";
import { mainNumbers, metricsIn } from "../../remote/metrics-at-home";
import type { ResultsPlace } from "../../remote/results";
import { evaluatedEarlier } from "../../remote/transfer/run-record";

/** Notes for the instance's bill how a run ended whose results are at home. */
export function noteEnded(place: Pick<ResultsPlace, "instanceId" | "run" | "evaluation">, home: BroughtHome): void {
  const { state, stopReason, exitCode, startedAt, endedAt } = home.status;
  // What an earlier start has found is not what this run has come to.
  const isEarlier = home.ran !== undefined && evaluatedEarlier(home.ran) !== undefined;
  const metrics =
    place.evaluation === undefined || isEarlier
      ? {}
      : mainNumbers(home.isInBucket ? (home.metrics ?? {}) : metricsIn(home.outputs, place.evaluation.metrics).files);
  new BillNotes(place.instanceId).run({
    experiment: place.run.experiment,
    outcome: state === "absent" ? "never started" : state,
    reason: stopReason,
    exitCode,
    startedAt,
    endedAt,
    metrics,
    results: home.workloadFiles === 0 ? undefined : resultsOf(home),
  });
}

/** Notes a run whose instance is gone, and whose results are in a bucket. */
export function noteInBucket(instanceId: string, experiment: string, { url, ran, metrics }: SeenInBucket): void {
  const { exitCode, stopReason: reason, startedAt, endedAt } = ran?.attempts.at(-1) ?? {};
  const outcome =
    exitCode === undefined ? "lost" : reason !== undefined ? "stopped" : exitCode === 0 ? "finished" : "failed";
  const numbers = ran !== undefined && evaluatedEarlier(ran) === undefined ? mainNumbers(metrics) : {};
  new BillNotes(instanceId).run({
    experiment,
    outcome,
    reason,
    exitCode,
    startedAt,
    endedAt,
    metrics: numbers,
    results: url,
  });
}

function resultsOf({ folder, isInBucket }: BroughtHome): string {
  return isInBucket === true ? folder : relative(projectFolder(), folder);
}

/** Notes a run of which nothing came home: `left behind`, `never started`, or `lost` with its instance. */
export function noteUnseen(
  instanceId: string,
  experiment: string,
  outcome: "left behind" | "never started" | "lost",
): void {
  new BillNotes(instanceId).run({ experiment, outcome, metrics: {} });
}
