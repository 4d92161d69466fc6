import { InvalidArgumentError } from "commander";
import { type Bill, dollarsOf, money } from "../lambda/billing/bill";
import { readLedger, stacksWithLedger } from "../lambda/billing/ledger";
import { rentText } from "../lambda/billing/rent";
import { table } from "../local/table";
import { type Cost, type CostSum, type Grouping, groupings, runningCost, sumBy } from "./costs/costs";
import { type FileSystemCost, fileSystemCosts } from "./stack/file-systems";
import { stackName } from "./stack/pulumi";
import { exitCodes, plainCommand, run } from "./terminal/command";
import { printJson } from "./terminal/output";

const description =
  "Shows what terminated instances have cost, from the ledgers (results/<stack>/ledger.jsonl), and what a running one " +
  "costs, its file system too. Dollars before tax. Emulated dollars are listed apart: nobody pays them.";

const command = plainCommand("costs", description)
  .option("-s, --stack <name>", "only this stack (default: every stack with a ledger here)")
  .option("--all", "also list each instance")
  .option("--since <day>", "only what ended on this day (2026-11-24, UTC) or later", day)
  .option("--json", "print one JSON object")
  .option("--no-running", "read the ledgers only, and don't ask what is running")
  .addHelpText("after", "\nExit codes: 0 done (broken lines are reported), 2 wrong usage.");

interface Options {
  readonly stack?: string;
  readonly all?: boolean;
  readonly since?: string;
  readonly json?: boolean;
  readonly running: boolean;
}

function day(text: string): string {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text) || Number.isNaN(Date.parse(text)))
    throw new InvalidArgumentError("Give a day such as 2026-11-24.");
  return text;
}

run(async () => {
  command.parse();
  const { stack, all, since = "", json, running } = command.opts<Options>();
  const ledgers = (stack === undefined ? stacksWithLedger() : [stack]).map(readLedger);
  const bills = ledgers.flatMap(({ bills: each }) => each).filter(({ terminatedAt }) => terminatedAt >= since);
  const problems = ledgers.flatMap(({ problems: each }) => each);
  const now = running ? await runningCost(await stackName(stack)) : null;
  const fileSystems = running ? await fileSystemCosts(await stackName(stack)) : [];
  const sums = Object.fromEntries(groupings.map((by) => [by, sumBy(bills, by)])) as Record<Grouping, CostSum[]>;
  const paid = bills.filter(({ emulated }) => !emulated);
  const unpaid = bills.filter(({ emulated }) => emulated);
  const total = { dollars: dollarsOf(...paid), emulatedDollars: dollarsOf(...unpaid), instances: bills.length };
  for (const problem of problems) console.error(problem);
  if (json === true) {
    printJson({ ...sums, total, running: now, fileSystems, problems, ...(all === true ? { bills } : {}) });
    return exitCodes.ok;
  }
  const lines = [
    ...(bills.length === 0
      ? ["No instance has ended yet."]
      : groupings.flatMap((by) => [...sumLines(by, sums[by]), ""])),
    ...(all === true && bills.length > 0 ? [...billLines(bills), ""] : []),
    ...(paid.length > 0 || unpaid.length === 0 ? [`total     ${money(total.dollars)}`] : []),
    ...(unpaid.length > 0 ? [`emulated  ${money(total.emulatedDollars)} (nobody pays it)`] : []),
    ...runningLines(now),
    ...fileSystems.map(fileSystemLine),
  ];
  for (const line of lines) console.log(line);
  return exitCodes.ok;
});

function runningLines(now: Awaited<ReturnType<typeof runningCost>>): string[] {
  if (now === null) return [];
  if ("unknown" in now) return [`running   unknown: ${now.unknown}`];
  const { stack, machines = {} } = now;
  const line = ({ dollars, dollarsPerHour }: Cost, of: string): string =>
    `running   about ${money(dollars)} so far, ${money(dollarsPerHour)} per hour: ${of}`;
  const each = Object.entries(machines).map(([machine, cost]) => line(cost, `machine ${machine}`));
  return [...each, line(now, `stack ${stack}`)];
}

function fileSystemLine({ name, region, bytesUsed }: FileSystemCost): string {
  return `storage   ${rentText({ bytesUsed: bytesUsed ?? undefined })}: file system ${name} in ${region}, with or without an instance`;
}

function sumLines(by: Grouping, sums: readonly CostSum[]): string[] {
  const rows = sums.map(({ name, instances, hours, dollars, emulated, estimated }) => [
    emulated ? `${name} (emulated)` : name,
    String(instances),
    hours.toFixed(2),
    `${estimated ? "at most " : ""}${money(dollars)}`,
  ]);
  return table([[by, "instances", "hours", "cost"], ...rows]);
}

function billLines(bills: readonly Bill[]): string[] {
  const rows = bills.map((bill) => [
    bill.terminatedAt.slice(0, 16).replace("T", " "),
    bill.stack,
    bill.instanceType,
    bill.region,
    String(bill.minutes),
    money(bill.priceCentsPerHour / 100),
    `${bill.estimate === null ? "" : "at most "}${money(dollarsOf(bill))}`,
    bill.runs
      .map(({ experiment, outcome, reason }) => `${experiment} ${outcome}${reason ? ` (${reason})` : ""}`)
      .join(", "),
  ]);
  return table([["ended (UTC)", "stack", "type", "region", "minutes", "per hour", "cost", "runs"], ...rows]);
}
