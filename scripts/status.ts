import { existsSync } from "node:fs";
import { join } from "node:path";
import { costSince } from "../components/lambda/forecast";
import type { RunStatus } from "../remote/types";
import { exitCodes, operatorCommand, run } from "./lib/command";
import { instanceStatus, runStatus } from "./lib/look";
import { type StackView, stackView } from "./lib/stack-view";

const command = operatorCommand("status", "What the stack rents, what its run does, and what it has cost.").option(
  "--json",
  "print one JSON object",
);

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; json?: boolean }>();
  const view = await stackView(options.stack);
  const [seen, running] = await Promise.all([instanceStatus(view), runStatus(view)]);
  const instance = "status" in seen ? seen.status : `unknown (${seen.reason})`;
  const state = stateOf(running);
  const { launchedAt, priceCents = 0 } = view.instance ?? {};
  const cost = launchedAt === undefined ? undefined : costSince(launchedAt, priceCents);
  const home =
    view.resultsFolder !== undefined && view.run !== undefined
      ? join(view.resultsFolder, view.run.experiment)
      : undefined;
  const report = {
    stack: view.stack,
    instance:
      view.instance === undefined ? null : { ...view.instance, status: instance, ip: view.access?.host ?? null },
    experiment: view.run?.experiment ?? null,
    run: state,
    costDollars: cost ?? null,
    results: home !== undefined && existsSync(join(home, "manifest.json")) ? home : null,
  };
  if (options.json === true) console.log(JSON.stringify(report, null, 2));
  else for (const line of describe(report)) console.log(line);
  if (view.instance === undefined) return exitCodes.nothing;
  if (state.state === "unreachable") return exitCodes.unreachable;
  return state.state === "failed" ? exitCodes.failed : exitCodes.ok;
});

/** The run as the report shows it. */
function stateOf(
  seen: Awaited<ReturnType<typeof runStatus>>,
): RunStatus | { state: "none" } | { state: "unreachable"; reason: string } {
  if (seen === undefined) return { state: "none" };
  return "state" in seen ? seen : { state: "unreachable", reason: seen.reason };
}

/** The report as lines for a person. */
function describe({ stack, instance, experiment, run: state, costDollars, results }: Report): string[] {
  const line = (name: string, text: string): string => `${name.padEnd(11)}${text}`;
  const head = [line("stack", stack)];
  if (instance === null) return [...head, line("instance", "none: nothing is billed")];
  const { status, type, region, ip, id, priceCents } = instance;
  const spent = `$${(costDollars ?? 0).toFixed(2)} so far, $${(priceCents / 100).toFixed(2)} per hour until \`npm run down\``;
  head.push(line("instance", `${status}  ${type} in ${region}  ${ip ?? "no address yet"}  ${id}`), line("cost", spent));
  if (experiment === null) return [...head, line("run", "not started: `npm run up` goes on from where it stopped")];
  head.push(line("run", `${experiment}  ${state.state}${"reason" in state ? `: ${state.reason}` : ""}`));
  return "logPath" in state ? [...head, ...describeRun(state, results).map(([name, text]) => line(name, text))] : head;
}

function describeRun(status: RunStatus, results: string | null): [string, string][] {
  const { startedAt, attempt = 1, endedAt, exitCode, stopReason, evaluation, lastLine } = status;
  const lines: [string, string | undefined][] = [
    ["started", startedAt && `${startedAt}${attempt > 1 ? `, start ${attempt}` : ""}`],
    ["ended", endedAt && `${endedAt}, exit status ${exitCode}${stopReason === undefined ? "" : ` (${stopReason})`}`],
    ["evaluation", evaluation?.state === "none" ? undefined : evaluation?.state],
    ["last line", lastLine],
    ["results", results ?? "not home yet: `npm run results` brings them, `npm run down` always does"],
  ];
  return lines.flatMap(([name, text]): [string, string][] => (text === undefined ? [] : [[name, text]]));
}

interface Report {
  readonly stack: string;
  readonly instance:
    | (NonNullable<StackView["instance"]> & { readonly status: string; readonly ip: string | null })
    | null;
  readonly experiment: string | null;
  readonly run: ReturnType<typeof stateOf>;
  readonly costDollars: number | null;
  readonly results: string | null;
}
