import pc from "picocolors";
import { money } from "../../lambda/billing/bill";
import { table } from "../../local/table";
import type { JobReport } from "../stack/report";
import type { SweepReport } from "../sweep/report";
import { countsOf, trialLines, valuesText } from "../sweep/screen";
import { cut, figures, placeText, type Row } from "./text";

/** A fleet's machines with their runs, a line each. */
export function fleetLines(all: readonly JobReport[], width: number): string[] {
  const head = ["machine", "instance", "type", "region", "address", "run", "state", "at", "cost"];
  const rows = all.map(({ job, cost, report: { instance, experiment, run, progress } }) => [
    job.machine,
    instance?.status ?? "none",
    instance?.type ?? "",
    instance?.region ?? "",
    instance?.ip ?? "",
    experiment ?? "",
    run.state,
    progress === null || progress === undefined ? "" : placeText(progress),
    cost === null ? "" : money(cost.dollars),
  ]);
  const [title = "", ...lines] = table([head, ...rows]);
  return [pc.dim(title), ...lines.map((line) => cut(line, width))];
}

/** What there is to say of a sweep. */
export function sweepRows({ experiment, study, reason }: SweepReport): Row[] {
  if (study === undefined) return [["sweep", `${pc.bold(experiment)}  ${pc.yellow(`unknown: ${reason}`)}`]];
  const { metric, direction, wanted, trials, best } = study;
  const rows: Row[] = [["sweep", `${pc.bold(experiment)}  ${wanted} trials: ${countsOf(study)}`]];
  const found = trials.find(({ number }) => number === best);
  if (found?.value === undefined || found.value === null) return [...rows, ["", `${direction} ${metric}`]];
  const value = figures({ [metric]: found.value }).join("");
  return [...rows, ["best", `trial ${found.number}: ${value}  ${valuesText(found.params)}`]];
}

/** Its trials, a line each. */
export function trialRows({ study }: SweepReport): string[] {
  return study === undefined ? [] : trialLines(study, Date.now() / 1000);
}
