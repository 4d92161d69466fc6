import type { Section } from "../reliability/page";
import { kinds } from "./case";
import { counts, inOrder } from "./figures";
import type { FaultFigures } from "./report";

/** The part of docs/reliability.md that tells of the fault matrix. */
export function faultSection({ date, lanes, minutes, cases, invariants, soak }: FaultFigures): Section {
  const told = cases.filter(({ outcome }) => outcome === "told").length;
  const killed = cases.filter(({ outcome }) => outcome === "killed").length;
  const soaked =
    soak === undefined
      ? []
      : [
          `The soak combined faults at random for ${soak.minutes} minutes with seed ${soak.seed}: ${soak.rounds} rounds, ` +
            `${soak.commands} commands, the invariants checked after each. \`npm run test:faults -- --seed ${soak.seed} ` +
            "--soak-minutes " +
            `${soak.minutes}\` draws the same again.`,
        ];
  return {
    title: "The fault matrix",
    date,
    text: [
      "`npm run test:faults` strikes each stage of a training run's life with each fault that can meet it there, through " +
        "the real command line against the emulated cloud. Each case checks the outcome, the message, and the invariants " +
        "after every command; then the fault goes, `up` must succeed, and `down` must leave nothing.",
      `${cases.length} cases: ${cases.length - told - killed} ridden out, ${told} told, ${killed} killed and recovered. ` +
        `${minutes.toFixed(0)} minutes in ${lanes} lanes.`,
      ...soaked,
    ],
    tables: [
      { title: "Cases by stage and fault", head: ["stage", ...kinds, "all"], rows: counts(cases) },
      {
        title: "Invariants",
        head: ["invariant", "checks"],
        rows: Object.entries(invariants).map(([text, checks]) => [text, checks]),
      },
      {
        title: "Cases",
        head: ["stage", "fault", "outcome", "message", "s"],
        rows: inOrder(cases).map((one) => [
          ...[one.stage, `${one.kind}: ${one.fault}`, one.outcome, one.message, one.seconds],
        ]),
      },
    ],
  };
}
