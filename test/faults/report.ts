import type { Kind, Stage } from "./case";

/** What came of a case. */
export interface CaseFigures {
  readonly kind: Kind;
  readonly stage: Stage;
  readonly fault: string;
  readonly outcome: string;
  /** The line of the message, in brief. */
  readonly message: string;
  readonly seconds: number;
}

/** What came of a soak. */
export interface SoakFigures {
  readonly seed: number;
  readonly minutes: number;
  readonly rounds: number;
  readonly commands: number;
  /** How often each fault struck. */
  readonly faults: Readonly<Record<string, number>>;
}

/** What came of a run of the whole matrix: docs/reliability/faults.json. */
export interface FaultFigures {
  /** ISO 8601 day. */
  readonly date: string;
  readonly lanes: number;
  readonly minutes: number;
  readonly cases: readonly CaseFigures[];
  /** How often each invariant was checked, by its text. */
  readonly invariants: Readonly<Record<string, number>>;
  readonly soak?: SoakFigures;
}
