import { noteStatus } from "./stack/endings";
import { lookIntoBuckets } from "./stack/in-bucket";
import { askRun, lookAtAccount } from "./stack/look";
import { sideBySide } from "./stack/of-each";
import { stackView } from "./stack/read";
import { exitCodeOf, type JobLook, type JobReport, printedReport, reportsOf } from "./stack/report";
import { type JobView, jobsOf, type StackView } from "./stack/stack-view";
import { lookAtRun, noDetails } from "./status/look";
import { screenOf } from "./status/screen";
import { watchStatus } from "./status/watch";
import { sweepsOf } from "./sweep/report";
import { exitCodes, operatorCommand, run, wholeNumber } from "./terminal/command";
import { printJson } from "./terminal/output";

const command = operatorCommand("status", "Shows the instance, the run, and the cost so far.")
  .option("--json", "print one JSON object")
  .addHelpText("after", "\nAlso: 1 if an instance bills that the state doesn't know, 4 if that can't be checked.")
  .option("-w, --watch [seconds]", "refresh every so many seconds (default: 2) until Ctrl-C", wholeNumber);

run(async () => {
  command.parse();
  const { stack, json, watch } = command.opts<{ stack?: string; json?: boolean; watch?: number | true }>();
  if (watch !== undefined) {
    if (json === true) command.error("error: use either --json or --watch");
    const stop = new AbortController();
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => stop.abort());
    await watchStatus(stack, watch === true ? 2 : watch, stop.signal);
    return exitCodes.ok;
  }
  const view = await stackView(stack);
  const [all, sweeps] = await Promise.all([look(view), sweepsOf(view)]);
  if (json === true) printJson({ ...printedReport(all), ...(sweeps.length > 0 && { sweeps }) });
  else for (const line of screenOf(all, process.stdout.columns ?? 200, sweeps)) console.log(line);
  return exitCodeOf(all);
});

/** Looks once: by the API for the instances, by SSH for the runs. */
async function look(view: StackView): Promise<JobReport[]> {
  const looking = sideBySide(jobsOf(view), lookOnce);
  const [account, ...looks] = await Promise.all([lookAtAccount(view, { rent: true }), ...looking]);
  await lookIntoBuckets(view, account);
  return reportsOf(view, account, looks);
}

async function lookOnce(job: JobView): Promise<JobLook> {
  const seen = await askRun(job, (session, experiment) => lookAtRun(session, experiment, job.worker === undefined));
  if (seen === undefined) return { job, run: { state: "none" }, details: noDetails };
  if ("reason" in seen) return { job, run: { state: "unreachable", reason: seen.reason }, details: noDetails };
  const { status, ...details } = seen;
  noteStatus(job, status);
  return { job, run: status, details };
}
