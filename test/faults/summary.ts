import { kinds } from "./case";
import { counts, textTable } from "./figures";
import type { FaultFigures } from "./report";

/** How many of the slowest cases are told. */
const slowest = 8;

/** What a run of the matrix came to, for a terminal. */
export function summary({ cases, invariants, soak, minutes, lanes }: FaultFigures): string {
  const slow = [...cases].sort((a, b) => b.seconds - a.seconds).slice(0, slowest);
  return [
    `${cases.length} cases by stage and fault, ${minutes.toFixed(1)} minutes in ${lanes} lanes:`,
    textTable(["stage", ...kinds, "all"], counts(cases)),
    "",
    "Invariants, and how often each was checked:",
    textTable(
      ["checks", "invariant"],
      Object.entries(invariants).map(([text, checks]) => [checks, text]),
    ),
    "",
    "Slowest cases:",
    textTable(
      ["s", "case"],
      slow.map((one) => [one.seconds, `${one.kind} · ${one.stage} · ${one.fault}`]),
    ),
    ...(soak === undefined
      ? []
      : ["", `Soak: ${soak.rounds} rounds, ${soak.commands} commands in ${soak.minutes} minutes, seed ${soak.seed}`]),
  ].join("\n");
}
