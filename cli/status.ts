import { withSession } from "../remote/session";
import { instanceStatus, statusText } from "./stack/look";
import { stackView } from "./stack/read";
import { besideOf, reportOf } from "./stack/report";
import type { StackView } from "./stack/stack-view";
import { lookAtRun, type RunLook } from "./status/look";
import { type StatusReport, screenOf } from "./status/screen";
import { watchStatus } from "./status/watch";
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
  const report = await statusReport(await stackView(stack));
  if (json === true) printJson(report);
  else for (const line of screenOf(report, process.stdout.columns ?? 200)) console.log(line);
  if (report.strays.length > 0) return exitCodes.failed;
  if (report.unknown !== null) return exitCodes.unreachable;
  if (report.instance === null) return exitCodes.nothing;
  if (report.run.state === "unreachable") return exitCodes.unreachable;
  return report.run.state === "failed" ? exitCodes.failed : exitCodes.ok;
});

/** Looks once: by the API for the instance, by SSH for the run. */
async function statusReport(view: StackView): Promise<StatusReport> {
  const [seen, look] = await Promise.all([instanceStatus(view), lookOnce(view)]);
  const state = statusText(seen);
  const nothing = { machine: null, progress: null, metrics: {}, log: [] };
  const beside = besideOf(view, seen);
  if (look === undefined) return { ...reportOf(view, state, { state: "none" }, beside), ...nothing };
  if ("reason" in look) {
    return { ...reportOf(view, state, { state: "unreachable", reason: look.reason }, beside), ...nothing };
  }
  const { status, ...rest } = look;
  return { ...reportOf(view, state, status, beside), ...rest };
}

async function lookOnce({ access, run: plan }: StackView): Promise<RunLook | undefined | { readonly reason: string }> {
  if (access === undefined || plan === undefined) return undefined;
  try {
    return await withSession(access, (session) => lookAtRun(session, plan.experiment));
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
