import pc from "picocolors";
import { followLog, type LogStart } from "../remote/follow";
import { ofEach } from "./stack/of-each";
import { type Choice, requireRun, requireRuns, type WithRun } from "./stack/stack-view";
import { viewWithTrial } from "./sweep/trials";
import { choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";
import { LineFilter } from "./terminal/line-filter";
import { logOutput } from "./terminal/log-output";
import { endWithReader } from "./terminal/output";
import { sinceOption } from "./terminal/since";

const command = choosingCommand(
  "logs",
  "Shows the run's log and follows it until the run ends. A dropped connection loses and repeats no line.",
)
  .option("-a, --all", "the logs of all the stack's runs at one time, each line with its rank or machine before it")
  .option("-f, --follow", "follow until the run has ended", true)
  .option("--no-follow", "print what there is, and exit")
  .option("-n, --lines <count>", "start with the last lines, not at the beginning", wholeNumber)
  .option(
    "--since <time>",
    "start with what was written since then: 10m, 1h30m, 2026-01-31T12:00Z (accurate to 5 s)",
    sinceOption,
  )
  .option("-g, --grep <pattern>", "only lines that match this RE2 regular expression")
  .option("-i, --ignore-case", "match --grep in any case")
  .option("-v, --invert", "only lines that don't match --grep")
  .option("--raw", "every byte as training wrote it: all states of a progress bar, all escape sequences");

interface Options extends Choice {
  readonly stack?: string;
  readonly all?: boolean;
  readonly follow: boolean;
  readonly lines?: number;
  readonly since?: LogStart;
  readonly grep?: string;
  readonly ignoreCase?: boolean;
  readonly invert?: boolean;
  readonly raw?: boolean;
}

run(async () => {
  command.parse();
  const { stack, all, follow, lines, since, grep, ignoreCase, invert, raw, ...choice } = command.opts<Options>();
  if (lines !== undefined && since !== undefined) command.error("error: --lines and --since exclude each other");
  if (raw === true && grep !== undefined) command.error("error: --raw and --grep exclude each other");
  if (raw === true && all === true) command.error("error: --raw and --all exclude each other");
  const mark = pc.isColorSupported && process.stdout.isTTY ? (text: string) => pc.bold(pc.red(text)) : undefined;
  const filter = grep === undefined ? undefined : new LineFilter({ pattern: grep, ignoreCase, invert, mark });
  const view = await viewWithTrial(stack, choice.run);
  const runs = all === true ? requireRuns(view, choice, true) : [requireRun(view, choice)];
  const labels = runs.map(labelOf);
  const width = Math.max(...labels.map(({ length }) => length));
  endWithReader();
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  const show = async ({ access, run: plan }: WithRun, label: string | undefined): Promise<void> => {
    const output = logOutput({ raw, filter, label });
    await followLog(access, plan.experiment, {
      start: lines === undefined ? since : { lines },
      once: !follow,
      barBytes: raw === true ? undefined : 0,
      onChunk: output.take,
      onProgress: (line) => console.error(pc.dim(line)),
      signal: stop.signal,
    });
    await output.end();
  };
  const labelled = runs.map((each, at) => ({
    each,
    label: all === true ? `${pc.dim(`${(labels[at] ?? "").padEnd(width)} |`)} ` : undefined,
  }));
  await ofEach(labelled, ({ each, label }) => show(each, label), Number.POSITIVE_INFINITY);
  return exitCodes.ok;
});

/** Which of the stack's runs it is: its rank in a training on several machines, or its machine. */
function labelOf({ run: { node }, machine }: WithRun): string {
  return node === undefined ? machine : `rank ${node.rank}`;
}
