import type { Section } from "../reliability/page";
import { kinds } from "./case";
import { counts, inOrder } from "./figures";
import type { FaultFigures } from "./report";

/** The part of docs/reliability.md about the fault matrix. */
export function faultSection({ date, lanes, minutes, cases, invariants, soak }: FaultFigures): Section {
  const told = cases.filter(({ outcome }) => outcome === "told").length;
  const killed = cases.filter(({ outcome }) => outcome === "killed").length;
  const soaked =
    soak === undefined
      ? []
      : [
          `The soak combined faults at random for ${soak.minutes} minutes with seed ${soak.seed}: ${soak.rounds} rounds, ` +
            `${soak.commands} commands. It checked the invariants after each. \`npm run test:faults -- --seed ${soak.seed} ` +
            `--soak-minutes ${soak.minutes}\` draws the same faults again.`,
        ];
  return {
    title: "The fault matrix",
    date,
    text: [
      "`npm run test:faults` injects each fault into each stage of a training run where it can occur, through the real " +
        "command line against the emulated cloud. Each case checks the outcome and the message, and the invariants after " +
        "every command. Then it removes the fault: `up` must succeed, and `down` must leave nothing.",
      "A fault is *ridden out* if the command succeeds in spite of it. It is *told* if the command fails with a message that " +
        "says what to do. *Killed* means that the command was killed, and that the next one recovered.",
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
