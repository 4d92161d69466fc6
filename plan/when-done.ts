import type { CloudPlan } from "./types";

/** The environment variable by which `npm run up -- --down` lets the program know that it ends the stack. */
export const downVariable = "LAMBDA_TRAIN_DOWN";

/** What may end the bill of a stack whose runs have ended. */
export interface Ends {
  /** `up --down` waits for it. */
  readonly upDown: boolean;
  /** `train.whenDone: down`. */
  readonly whenDone: boolean;
  /** When the instance terminates itself. Absent: it never does. */
  readonly selfTermination?: CloudPlan["selfTermination"];
  /** The watch that this machine has installed for the stack. Absent: none. */
  readonly watch?: { readonly every: number; readonly destroys: boolean };
  /** `protect` keeps the instances. */
  readonly isProtected?: boolean;
}

/** What ends the bill, in one line. */
export function endText({ upDown, whenDone, selfTermination, watch, isProtected = false }: Ends): string {
  if (isProtected) {
    const although = whenDone ? " when done, although train.whenDone is down" : "";
    return `Nothing ends it${although}: lambda-train:protect keeps the instances. Set it to false and run \`up\` first.`;
  }
  if (upDown) return "Ends when done: `up --down` waits for the runs, downloads the results and terminates.";
  const ends = [
    ...(watch !== undefined && (whenDone || watch.destroys)
      ? [`by \`watch\` (installed, looks every ${watch.every} min)`]
      : []),
    ...(selfTermination === undefined ? [] : [byItself(selfTermination)]),
  ];
  if (ends.length > 0) return `Ends when done: ${ends.join(", or ")}.`;
  return whenDone
    ? "Nothing ends it when done, although train.whenDone is down: no `watch` is installed here. Run `npm run watch -- --install`."
    : "Nothing ends it but `npm run down`. With train.whenDone: down, or `npm run up -- --down`, it ends with its runs.";
}

function byItself({ afterSeconds, loseResults }: NonNullable<CloudPlan["selfTermination"]>): string {
  const safe = loseResults ? "" : ", once its results are safe";
  return `by the instance itself, ${Math.round(afterSeconds / 60)} min after its last work${safe}`;
}
