import type { Section } from "../reliability/page";
import type { CrashReport } from "./lanes";
import { type Invariant, invariants } from "./model";
import type { CrashOptions } from "./options";

/** The part of docs/reliability.md about random sequences. */
export function crashSection({ passed, minutes, tally }: CrashReport, { seed, lanes }: CrashOptions): Section {
  const operations = total(tally.operations);
  const cuts = byPhase(tally.cuts);
  return {
    title: "Crash anywhere",
    date: new Date().toISOString().slice(0, 10),
    text: [
      "`npm run test:crash` runs random sequences of `up`, `up` with a change, refresh, destroy, and termination by " +
        "somebody else, through the real command line against the emulated cloud. It cuts most commands at a random " +
        "moment: with kill -9 of the CLI, of the CLI and its children, of the language host or of the provider, or with " +
        "one or two Ctrl-C. Sometimes it loses the answer to a call. After each command it compares everything visible " +
        "with what may exist. Each sequence ends with a destroy, which must leave nothing.",
      `${passed} sequences of seed ${seed} passed: ${operations} operations, ${total(tally.cuts)} of them cut. ` +
        `${minutes.toFixed(0)} minutes on ${lanes} lanes. ` +
        `\`npm run test:crash -- --seed ${seed}\` draws the same sequences again.`,
    ],
    tables: [
      { title: "Operations", head: ["operation", "times"], rows: sorted(tally.operations) },
      {
        title: "Cuts by what was being done",
        head: ["command", "what was being done", "kill -9", "Ctrl-C"],
        rows: cuts,
      },
      { title: "Cuts by what was hit", head: ["what", "times"], rows: sorted(byTarget(tally.cuts)) },
      {
        title: "Invariants",
        head: ["invariant", "checks"],
        rows: Object.entries(tally.invariants).map(([name, checks]) => [invariants[name as Invariant], checks]),
      },
    ],
  };
}

/** One key of a tally's cuts: how, on which command, at what. */
export function cutKey(how: string, command: string, phase: string): string {
  return [how, command, phase].join(" | ");
}

function byPhase(cuts: Readonly<Record<string, number>>): (string | number)[][] {
  const rows = new Map<string, [number, number]>();
  for (const [key, times] of Object.entries(cuts)) {
    const [how = "", ...at] = key.split(" | ");
    const row = rows.get(at.join(" | ")) ?? [0, 0];
    row[how.startsWith("kill") ? 0 : 1] += times;
    rows.set(at.join(" | "), row);
  }
  return [...rows].sort(([a], [b]) => a.localeCompare(b)).map(([at, counts]) => [...at.split(" | "), ...counts]);
}

function byTarget(cuts: Readonly<Record<string, number>>): Record<string, number> {
  const targets: Record<string, number> = {};
  for (const [key, times] of Object.entries(cuts)) {
    const how = key.split(" | ")[0] ?? "";
    targets[how] = (targets[how] ?? 0) + times;
  }
  return targets;
}

const sorted = (counts: Readonly<Record<string, number>>): [string, number][] =>
  Object.entries(counts).sort(([, a], [, b]) => b - a);

const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, each) => sum + each, 0);
