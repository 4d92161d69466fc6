import { InvalidArgumentError } from "commander";
import { type Account, type Claimed, findOrphans, type Orphan } from "../lambda/account/orphans";
import { readAccount, removeOrphan } from "../lambda/account/reaping";
import { stateOrigin } from "../lambda/account/state-origin";
import type { Cloud } from "../lambda/api/connect";
import { duration } from "../lambda/api/waiting";
import { costSince } from "../lambda/billing/forecast";
import { projectFolder } from "../local/paths";
import { table } from "../local/table";
import { accountAt, readable } from "./stack/account";
import { allStates, type KnownStray, straysOf } from "./stack/states";
import { exitCodes, plainCommand, run } from "./terminal/command";
import { printing } from "./terminal/listener";
import { printJson } from "./terminal/output";

interface Options {
  readonly endpoint?: string;
  readonly yes?: boolean;
  readonly minAge: number;
  readonly includeUnknownAge?: boolean;
  readonly anyState?: boolean;
  readonly json?: boolean;
}

const description =
  "Lists instances, keys and rulesets in the account that carry this project's name and appear in no stack's state. " +
  "Removes nothing without --yes, and nothing younger than --min-age.";

const command = plainCommand("reap", description)
  .option("--endpoint <url>", "`emulated`, or the API's base URL (default: Lambda, with LAMBDA_API_KEY)")
  .option("--yes", "terminate and delete what is listed as `remove`; results on those instances are lost")
  .option("--min-age <hours>", "keep anything younger: its `up` may still be running elsewhere", hours, 1)
  .option("--include-unknown-age", "also remove what is of unknown age")
  .option("--any-state", "also remove what belongs to a state kept elsewhere")
  .option("--json", "print one JSON object")
  .addHelpText(
    "after",
    "\nExit codes: 0 nothing to remove, or all removed; 1 something is there or couldn't be removed, or an instance is " +
      "missing from its stack's state; 2 wrong usage; 4 couldn't read the API or the states: nothing was removed.",
  );

function hours(text: string): number {
  const number = Number(text);
  if (text.trim() === "" || !(number >= 0)) throw new InvalidArgumentError("Give a number of hours, 0 or more.");
  return number;
}

run(async () => {
  command.parse();
  const options = command.opts<Options>();
  const cloud = accountAt(options.endpoint);
  // The account before the states: a claim is in its state before anything is launched under it.
  const account = await readable("The account", () => readAccount(cloud));
  const states = await readable("The states of this backend", allStates);
  const orphans = findOrphans(account, {
    known: (known) => states.some(({ text }) => text.includes(known)),
    origin: stateOrigin(process.env, projectFolder(), false),
    anyState: options.anyState === true,
    minAgeHours: options.minAge,
    includeUnknownAge: options.includeUnknownAge === true,
    now: cloud.clock.date(),
  });
  const strays = straysOf(account.instances, states);
  const removable = orphans.filter(({ verdict }) => verdict === "remove");
  const doubtful = orphans.filter(({ verdict }) => verdict === "age");
  if (options.json !== true) {
    const now = cloud.clock.date();
    for (const line of describe({ orphans, strays, now }, account, states.length, options)) console.log(line);
  }
  const failed = options.yes === true ? await removeAll(cloud, removable) : [];
  if (options.json === true) printJson({ orphans, strays, removed: options.yes === true, failed });
  const left = options.yes === true ? failed.length : removable.length;
  return left + doubtful.length + strays.length > 0 ? exitCodes.failed : exitCodes.ok;
});

/** Removes claim by claim, side by side; returns the claims of which something is left. */
async function removeAll(cloud: Cloud, orphans: readonly Orphan[]): Promise<string[]> {
  const done = await Promise.allSettled(
    orphans.map((orphan) => printing(console.error, (listener) => removeOrphan(cloud, orphan, listener))),
  );
  return done.flatMap((each, index) => {
    if (each.status === "fulfilled") return [];
    const { claim = "" } = orphans[index] ?? {};
    console.error(`${claim}: ${(each.reason as Error).message}`);
    return [claim];
  });
}

interface Found {
  readonly orphans: readonly Orphan[];
  readonly strays: readonly KnownStray[];
  /** By the API's date, in milliseconds since the epoch. */
  readonly now: number;
}

function describe({ orphans, strays, now }: Found, account: Account, states: number, options: Options): string[] {
  const seen = `${account.instances.length} instances, ${account.sshKeys.length} SSH keys, ${account.rulesets.length} firewall rulesets`;
  if (orphans.length + strays.length === 0)
    return [`No leftovers: ${seen} in the account, ${states} stacks in the backend.`];
  const head = ["what", "name", "type", "region", "age", "$/hour", "cost so far", "verdict"];
  const rows = [
    ...orphans.flatMap((orphan) => orphan.things.map((thing) => row(thing, verdictOf(thing, orphan), now))),
    ...strays.map((stray) => strayRow(stray, now)),
  ];
  const ready = orphans.some(({ verdict }) => verdict === "remove");
  const next = "Removing an instance loses its results. `npm run adopt` may download them first. To remove: --yes";
  return [...table([head, ...rows]), ...(ready && options.yes !== true ? [next] : [])];
}

function strayRow({ stack, launchedAt, priceCents, ...stray }: KnownStray, now: number): string[] {
  const thing = { ...stray, kind: "instance", createdAt: launchedAt, priceCentsPerHour: priceCents } as const;
  const end = `\`npm run up -- --stack ${stack}\` adopts it, \`npm run down -- --stack ${stack}\` terminates it`;
  return row(thing, `kept: stack ${stack} launched it, but its state doesn't know it: ${end}`, now);
}

function verdictOf({ kind }: Claimed, { verdict, origin }: Orphan): string {
  if (kind === "file system") return verdicts.data;
  return verdict === "elsewhere" ? `${verdicts.elsewhere}: ${origin ?? "nothing says where"}` : verdicts[verdict];
}

function row(
  { kind, name, id, type, region, createdAt, priceCentsPerHour }: Claimed,
  verdict: string,
  now: number,
): string[] {
  const instance = kind === "instance";
  const age = createdAt === undefined ? "unknown" : duration((now - Date.parse(createdAt)) / 1000);
  const price = priceCentsPerHour === undefined ? "?" : (priceCentsPerHour / 100).toFixed(2);
  const cost =
    createdAt === undefined || priceCentsPerHour === undefined
      ? "?"
      : `$${costSince(createdAt, priceCentsPerHour, now).toFixed(2)}`;
  return [
    instance ? `instance ${id}` : kind,
    name,
    type ?? "-",
    region ?? "-",
    age,
    instance ? price : "-",
    instance ? cost : "-",
    verdict,
  ];
}

const verdicts: Readonly<Record<Orphan["verdict"], string>> = {
  remove: "remove",
  used: "kept: somebody else's instance uses it",
  elsewhere: "kept: its state is elsewhere (--any-state)",
  age: "kept: its age is unknown (--include-unknown-age)",
  young: "kept: too young (--min-age)",
  data: "kept: it holds data; delete it at https://cloud.lambda.ai",
};
