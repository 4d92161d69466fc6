import { shellQuote } from "../remote/quote";
import { followLog, readStatus } from "../remote/run";
import { withSession } from "../remote/session";
import { exitCodes, operatorCommand, run, wholeNumber } from "./lib/command";
import { requireRun, stackView, type WithRun } from "./lib/stack-view";

const command = operatorCommand("logs", "The run's log; follows it while the run goes on, over dropped connections.")
  .option("-n, --lines <count>", "start with the last lines instead of the beginning", wholeNumber)
  .option("--no-follow", "print what there is, and end");

/** Bytes before the log's last lines. */
async function startByte({ access, run: { experiment } }: WithRun, lines: number | undefined): Promise<number> {
  if (lines === undefined) return 0;
  return withSession(access, async (session) => {
    const { logPath } = await readStatus(session, experiment);
    const log = shellQuote(logPath);
    const count = `size=$(stat -c %s ${log}); tail=$(head -c "$size" ${log} | tail -n ${lines} | wc -c); echo $((size - tail))`;
    return Number((await session.run(count, "reading the log")).trim());
  });
}

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; lines?: number; follow: boolean }>();
  const view = requireRun(await stackView(options.stack));
  const { access } = view;
  const { experiment } = view.run;
  if (!options.follow) {
    return withSession(access, async (session) => {
      const log = shellQuote((await readStatus(session, experiment)).logPath);
      const command = options.lines === undefined ? `cat ${log}` : `tail -n ${options.lines} ${log}`;
      await session.exec(command, { onStdout: (chunk) => void process.stdout.write(chunk) });
      return exitCodes.ok;
    });
  }
  const from = await startByte(view, options.lines);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  await followLog(access, experiment, {
    fromByte: from,
    onChunk: (chunk) => void process.stdout.write(chunk),
    onProgress: console.error,
    signal: stop.signal,
  });
  return exitCodes.ok;
});
