import type { Section } from "../reliability/page";
import { type FaultCase, kinds, nameOf } from "./case";
import { counts, inOrder } from "./figures";
import type { FaultFigures } from "./report";

/** The part of docs/reliability.md about the fault matrix. */
export function faultSection(
  { date, lanes, minutes, cases, invariants, soak }: FaultFigures,
  all: readonly Pick<FaultCase, "kind" | "stage" | "fault">[],
): Section {
  const known = new Set(cases.map(nameOf));
  const now = new Set(all.map(nameOf));
  const gone = cases.filter((one) => !now.has(nameOf(one))).map(nameOf);
  const since = inOrder(all.filter((one) => !known.has(nameOf(one))));
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
      ...(gone.length === 0 ? [] : [`These have gone from the matrix since: ${gone.join("; ")}.`]),
    ],
    tables: [
      ...(since.length === 0
        ? []
        : [
            {
              title: "Cases that came since that run",
              head: ["stage", "fault"],
              rows: since.map(({ stage, kind, fault }) => [stage, `${kind}: ${fault}`]),
            },
          ]),
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
