import { writeFileSync } from "node:fs";
import { money } from "../lambda/billing/bill";
import { projectFolder } from "../local/paths";
import { table } from "../local/table";
import { allExperiments, configurationOf, type ExperimentReport, type Found } from "./experiments/experiments";
import { short, svgPlot, textPlot } from "./experiments/plot";
import { CommandError, exitCodes, plainCommand, run } from "./terminal/command";
import { printJson } from "./terminal/output";

const description =
  "Lists every experiment whose results or bills are here. With names, compares them: configuration, metrics, and a plot " +
  "of one metric over training.";

const command = plainCommand("experiments", description)
  .argument("[names...]", "experiments to compare, as `name` or `stack/name`")
  .option("-m, --metric <name>", "metric to plot and to show first", "loss")
  .option("--sort <column>", "when (newest first), cost, hours, name, or a metric", "when")
  .option("--svg <file>", "write the plot as a picture, for light and dark backgrounds")
  .option("--json", "print one JSON object")
  .addHelpText("after", "\nExit codes: 0 done, 2 wrong usage, 3 nothing there.");

interface Options {
  readonly metric: string;
  readonly sort: string;
  readonly svg?: string;
  readonly json?: boolean;
}

/** Most metrics that the table has columns for. */
const mostColumns = 4;

run(async () => {
  command.parse();
  const { metric, sort, svg, json } = command.opts<Options>();
  const { found, problems } = allExperiments(metric);
  for (const problem of problems) console.error(problem);
  const chosen = command.args.length === 0 ? found : command.args.map((name) => named(name, found));
  const ordered = sorted(chosen, sort);
  const rows = ordered.map(({ report }) => report);
  const curves = ordered.flatMap(({ curve }) => curve ?? []);
  if (svg !== undefined) {
    if (curves.length === 0)
      throw new CommandError(
        `No experiment has recorded ${metric} over time. Choose another --metric.`,
        exitCodes.nothing,
      );
    writeFileSync(svg, svgPlot(metric, curves));
  }
  if (json === true) {
    printJson({ experiments: rows, metric, curves, problems });
    return exitCodes.ok;
  }
  if (rows.length === 0) {
    console.log("There are no results or bills here yet. `npm run results` and `npm run down` download results.");
    return exitCodes.nothing;
  }
  const lines = [
    ...overview(rows, metric),
    ...(command.args.length > 1 ? ["", ...differences(rows)] : []),
    ...(curves.length === 0
      ? []
      : [
          "",
          textPlot(
            metric,
            curves,
            Math.min(100, process.stdout.columns ?? 80),
            process.stdout.isTTY && !process.env.NO_COLOR,
          ),
        ]),
    ...(svg === undefined ? [] : [`The plot is in ${svg}.`]),
  ];
  for (const line of lines) console.log(line);
  return exitCodes.ok;
});

function named(name: string, found: readonly Found[]): Found {
  const fitting = found.filter(({ report: { stack, experiment } }) =>
    [experiment, `${stack}/${experiment}`].includes(name),
  );
  const [one, second] = fitting;
  if (one !== undefined && second === undefined) return one;
  const all = (one === undefined ? found : fitting)
    .map(({ report }) => `${report.stack}/${report.experiment}`)
    .join(", ");
  const what = one === undefined ? `There is no experiment ${name}` : `${name} is in several stacks`;
  throw new CommandError(`${what}. There are: ${all || "none"}.`, exitCodes.usage);
}

function sorted(rows: readonly Found[], by: string): Found[] {
  const value = ({ report: row }: Found): number => {
    if (by === "when") return -Date.parse(row.when);
    if (by === "cost") return row.dollars ?? Number.POSITIVE_INFINITY;
    if (by === "hours") return row.hours ?? Number.POSITIVE_INFINITY;
    return row.metrics[by] ?? Number.POSITIVE_INFINITY;
  };
  const fields = [
    "when",
    "cost",
    "hours",
    "name",
    ...new Set(rows.flatMap(({ report }) => Object.keys(report.metrics))),
  ];
  if (!fields.includes(by))
    throw new CommandError(`Can't sort by ${by}. Choose one of: ${fields.join(", ")}.`, exitCodes.usage);
  if (by === "name") return rows.toSorted((a, b) => a.report.experiment.localeCompare(b.report.experiment));
  return rows.toSorted((a, b) => value(a) - value(b) || 0);
}

function overview(rows: readonly ExperimentReport[], metric: string): string[] {
  const all = [...new Set(rows.flatMap(({ metrics }) => Object.keys(metrics)))];
  const names = all.toSorted((a, b) => Number(b === metric) - Number(a === metric)).slice(0, mostColumns);
  const head = ["stack", "experiment", "state", "progress", ...names, "hours", "cost", "when (UTC)"];
  const lines = rows.map((row) => [
    row.stack,
    row.experiment,
    row.metricsOfStart === null ? row.state : `${row.state}; metrics of start ${row.metricsOfStart}`,
    row.progress ?? "-",
    ...names.map((name) => (row.metrics[name] === undefined ? "-" : short(row.metrics[name]))),
    row.hours?.toFixed(2) ?? "-",
    row.dollars === null ? "-" : `${money(row.dollars)}${row.emulated ? " (emulated)" : ""}`,
    row.when.slice(0, 16).replace("T", " "),
  ]);
  return table([head, ...lines]);
}

/** What is not the same in what ran, a row a field. */
function differences(rows: readonly ExperimentReport[]): string[] {
  const known = rows.map((row) => ({
    name: `${row.stack}/${row.experiment}`,
    ...configurationOf(row, projectFolder()),
  }));
  const fields = [...new Set(known.flatMap(({ configuration }) => Object.keys(configuration)))].filter(
    (field) => field !== "experiment",
  );
  const text = (value: unknown): string => (value === undefined ? "-" : JSON.stringify(value));
  const differing = fields.filter(
    (field) => new Set(known.map(({ configuration }) => text(configuration[field]))).size > 1,
  );
  const today = known.filter(({ isToday }) => isToday).map(({ name }) => name);
  const note =
    today.length === 0
      ? []
      : [`No record tells what ran in ${today.join(", ")}: compared is what the files here say today.`];
  if (differing.length === 0) return ["What ran is the same, as far as it is known here.", ...note];
  const head = ["configuration", ...known.map(({ name }) => name)];
  const lines = differing.map((field) => [field, ...known.map(({ configuration }) => text(configuration[field]))]);
  return [...table([head, ...lines]), ...note];
}
