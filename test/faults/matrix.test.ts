import { afterAll, describe, expect, it } from "vitest";
import { publish } from "../reliability/page";
import { Journal } from "../support/journal";
import { kinds, nameOf, stages } from "./case";
import { allCases } from "./cases";
import { inOrder } from "./figures";
import { Pool } from "./pool";
import type { CaseFigures, FaultFigures, SoakFigures } from "./report";
import { runCase } from "./run-case";
import { selection } from "./selection";
import { soak } from "./soak/soak";
import { summary } from "./summary";
import { type Invariant, invariants } from "./tally";

/** Waiting for a lane counts, so the limit is for the whole queue; what a case starts has limits of its own. */
const limit = { timeout: 60 * 60_000 };

const { cases, beyond, lanes, seed, soakMinutes, resume, whole } = selection(allCases);
const pool = new Pool(lanes);
const started = Date.now();
/** What a run has passed so far. */
interface Kept {
  readonly minutes: number;
  readonly cases: readonly CaseFigures[];
  readonly checks: Readonly<Partial<Record<Invariant, number>>>;
}
const journal = whole ? new Journal<Kept>("faults") : undefined;
const earlier = resume ? journal?.read() : undefined;
const done: CaseFigures[] = [...(earlier?.cases ?? [])];
pool.tally.add(earlier?.checks ?? {});
const passed = new Set(done.map(nameOf));
const open = cases.filter((fault) => !passed.has(nameOf(fault)));
const minutes = (): number => (earlier?.minutes ?? 0) + (Date.now() - started) / 60_000;
let told = 0;
let soaked: SoakFigures | undefined;

/** A line of progress: a whole run takes its time, and vitest tells of a file's tests only at its end. */
function tell(line: string): void {
  told += 1;
  if (process.env.FAULTS === "all") process.stdout.write(`${String(told).padStart(3)}/${open.length} ${line}\n`);
}

if (passed.size > 0) process.stdout.write(`${passed.size} cases were passed before, on the same product\n`);

const strike = (): void => {
  it.each(open.map((fault) => [nameOf(fault), fault] as const))("%s", async (name, fault) => {
    try {
      done.push(await pool.use((world) => runCase(fault, world)));
      journal?.write({ minutes: minutes(), cases: done, checks: Object.fromEntries(pool.tally.checks) });
      tell(`ok     ${done.at(-1)?.seconds} s  ${name}`);
    } catch (error) {
      tell(`FAILED ${name}: ${(error as Error).message.split("\n")[0]}`);
      throw error;
    }
  });
};
// Vitest takes a suite without tests for a mistake.
if (open.length > 0) describe.concurrent("faults", limit, strike);

if (soakMinutes > 0) {
  it(`faults combined at random, seed ${seed}`, limit, async () => {
    soaked = await soak(pool, lanes, seed, soakMinutes);
  });
}

// A check that looks at nothing passes everything.
if (whole) {
  it("each invariant was checked", () => {
    const never = Object.keys(invariants).filter((name) => (pool.tally.checks.get(name as Invariant) ?? 0) === 0);
    expect(never).toEqual([]);
  });
}

for (const fault of beyond) it.skip(`${nameOf(fault)} (needs root)`);

it("the default run strikes every kind of fault, each at another stage of one machine's life", () => {
  const inDefault = allCases.filter((fault) => fault.inDefault);
  expect(new Set(inDefault.map(({ kind }) => kind))).toEqual(new Set(kinds));
  const ofOne = inDefault.filter(({ kind }) => kind !== "fleet");
  expect(new Set(ofOne.map(({ stage }) => stage)).size).toBe(ofOne.length);
});

it("the whole run strikes every stage", () => {
  expect(new Set(allCases.map(({ stage }) => stage))).toEqual(new Set(stages));
});

afterAll(async () => {
  await pool.dispose();
  if (done.length === 0) return;
  const { checks } = pool.tally;
  const figures: FaultFigures = {
    date: new Date().toISOString().slice(0, 10),
    lanes,
    minutes: minutes(),
    cases: inOrder(done),
    invariants: Object.fromEntries(
      Object.entries(invariants).map(([name, text]) => [text, checks.get(name as keyof typeof invariants) ?? 0]),
    ),
    soak: soaked,
  };
  console.log(summary(figures));
  if (whole && done.length === cases.length && soaked !== undefined) publish("faults", figures);
}, 120_000);
