import { duration } from "../components/lambda/api/waiting";
import type { RunStatus } from "../remote/types";
import { exitCodes, operatorCommand, run } from "./lib/command";
import { type CostReport, type StackReport, stackReport } from "./lib/report";
import { stackView } from "./lib/stack-view";

const command = operatorCommand("status", "What the stack rents, what its run does, and what it has cost.").option(
  "--json",
  "print one JSON object",
);

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; json?: boolean }>();
  const report = await stackReport(await stackView(options.stack));
  if (options.json === true) console.log(JSON.stringify(report, null, 2));
  else for (const line of describe(report)) console.log(line);
  if (report.instance === null) return exitCodes.nothing;
  if (report.run.state === "unreachable") return exitCodes.unreachable;
  return report.run.state === "failed" ? exitCodes.failed : exitCodes.ok;
});

/** When the instance ends itself; undefined where it was not told to. */
function selfEnd({ selfTermination, now }: RunStatus): string | undefined {
  if (selfTermination === undefined) return undefined;
  const { watched, last } = selfTermination;
  if (!watched) return "NOT WATCHED (rebooted?): `npm run up -- --refresh` starts the watch again";
  switch (last.state) {
    case "busy":
      return "some time after the last work there has ended";
    case "waiting":
      return `in ${duration(Math.max(0, (last.at ?? now) - now))}, if its results are safe then`;
    case "unsafe":
      return `waits: ${last.text}`;
    case "terminating":
      return "now: the API was told";
    default:
      return `FAILED, goes on billing: ${last.text}`;
  }
}

/** The report as lines for a person. */
function describe({ stack, instance, experiment, run: state, cost, results }: StackReport): string[] {
  const line = (name: string, text: string): string => `${name.padEnd(11)}${text}`;
  const head = [line("stack", stack)];
  if (instance === null) return [...head, line("instance", "none: nothing is billed")];
  const { status, type, region, ip, id } = instance;
  head.push(line("instance", `${status}  ${type} in ${region}  ${ip ?? "no address yet"}  ${id}`));
  if (cost !== null) head.push(line("cost", describeCost(cost)));
  if (experiment === null) return [...head, line("run", "not started: `npm run up` goes on from where it stopped")];
  head.push(line("run", `${experiment}  ${state.state}${"reason" in state ? `: ${state.reason}` : ""}`));
  return "logPath" in state ? [...head, ...describeRun(state, results).map(([name, text]) => line(name, text))] : head;
}

function describeCost({ dollars, dollarsPerHour, budgetDollars, dollarsLeft, hoursLeft }: CostReport): string {
  const spent = `$${dollars.toFixed(2)} so far, $${dollarsPerHour.toFixed(2)} per hour until \`npm run down\``;
  const budget = dollarsLeft === null ? "" : `; $${dollarsLeft.toFixed(2)} left of $${budgetDollars?.toFixed(2)}`;
  return `${spent}${budget}${hoursLeft === null ? "" : `; ${duration(hoursLeft * 3600)} left to the run`}`;
}

function describeRun(status: RunStatus, results: string | null): [string, string][] {
  const { startedAt, attempt = 1, endedAt, exitCode, stopReason, evaluation, lastLine } = status;
  const lines: [string, string | undefined][] = [
    ["started", startedAt && `${startedAt}${attempt > 1 ? `, start ${attempt}` : ""}`],
    ["ended", endedAt && `${endedAt}, exit status ${exitCode}${stopReason === undefined ? "" : ` (${stopReason})`}`],
    ["evaluation", evaluation?.state === "none" ? undefined : evaluation?.state],
    ["last line", lastLine],
    ["self-end", selfEnd(status)],
    ["results", results ?? "not home yet: `npm run results` brings them, `npm run down` always does"],
  ];
  return lines.flatMap(([name, text]): [string, string][] => (text === undefined ? [] : [[name, text]]));
}
