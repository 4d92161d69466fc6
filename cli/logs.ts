import pc from "picocolors";
import { followLog, type LogStart } from "../remote/follow";
import { stackView } from "./stack/read";
import { requireRun } from "./stack/stack-view";
import { exitCodes, operatorCommand, run, wholeNumber } from "./terminal/command";
import { LineFilter } from "./terminal/line-filter";
import { logOutput } from "./terminal/log-output";
import { endWithReader } from "./terminal/output";
import { sinceOption } from "./terminal/since";

const command = operatorCommand("logs", "The run's log; follows it while the run goes on, over dropped connections.")
  .option("-f, --follow", "go on until the run has ended (as it does without being told)", true)
  .option("--no-follow", "print what there is, and end")
  .option("-n, --lines <count>", "begin with the last lines instead of the beginning", wholeNumber)
  .option("--since <time>", "begin with what was written since: 10m, 1h30m, 2026-01-31T12:00Z; to 5 s", sinceOption)
  .option("-g, --grep <pattern>", "only lines that match, by RE2's regular expressions")
  .option("-i, --ignore-case", "--grep in capitals and small letters alike")
  .option("-v, --invert", "only lines that do not match --grep")
  .option("--raw", "every byte as training wrote it: all states of a progress bar, all that steers a terminal");

interface Options {
  readonly stack?: string;
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
  const { stack, follow, lines, since, grep, ignoreCase, invert, raw } = command.opts<Options>();
  if (lines !== undefined && since !== undefined) command.error("error: --lines and --since exclude each other");
  if (raw === true && grep !== undefined) command.error("error: --raw and --grep exclude each other");
  const mark = pc.isColorSupported && process.stdout.isTTY ? (text: string) => pc.bold(pc.red(text)) : undefined;
  const filter = grep === undefined ? undefined : new LineFilter({ pattern: grep, ignoreCase, invert, mark });
  const output = logOutput({ raw, filter });
  const { access, run: plan } = requireRun(await stackView(stack));
  endWithReader();
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  await followLog(access, plan.experiment, {
    start: lines === undefined ? since : { lines },
    once: !follow,
    onChunk: output.take,
    onProgress: (line) => console.error(pc.dim(line)),
    signal: stop.signal,
  });
  await output.end();
  return exitCodes.ok;
});
