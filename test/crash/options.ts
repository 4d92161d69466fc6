import { randomInt } from "node:crypto";

/** What to run, by the options of `npm run test:crash` (engine/bootstrap/suites.mjs). */
export interface CrashOptions {
  readonly sequences: number;
  readonly seed: number;
  /** One sequence of the seed, as a failure named it. */
  readonly path?: string;
  readonly lanes: number;
  /** Begin no further sequence after so many minutes. */
  readonly minutes: number;
  /** Most minutes spent on shrinking a sequence that fails. */
  readonly shrinkMinutes: number;
  /** Every sequence must have run; a run of all tests takes as many as its minute allows. */
  readonly all: boolean;
  /** Sequences that an earlier run of the seed passed on the same product are taken as they were. */
  readonly resume: boolean;
}

/** The seed of a run of all tests, so that it is the same sequences for everybody. */
const seedOfAll = 13;

/** Reads the options. A run of all tests, which gives none, takes a small part of one seed; else the seed is new. */
export function crashOptions(env: NodeJS.ProcessEnv = process.env): CrashOptions {
  const all = env.CRASH === "all";
  if (env.CRASH_PATH !== undefined && env.CRASH_SEED === undefined)
    throw new Error("--path needs the --seed it is of.");
  return {
    sequences: amount("--sequences", env.CRASH_SEQUENCES, all ? 300 : 3),
    seed: amount("--seed", env.CRASH_SEED, all ? randomInt(2 ** 31 - 1) : seedOfAll),
    path: env.CRASH_PATH,
    lanes: amount("--lanes", env.CRASH_LANES, all ? 4 : 3),
    minutes: amount("--minutes", env.CRASH_MINUTES, all ? 240 : 1),
    shrinkMinutes: amount("--shrink-minutes", env.CRASH_SHRINK_MINUTES, all ? 10 : 2),
    all,
    resume: env.CRASH_RESUME !== undefined,
  };
}

function amount(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`${option} must be a number from 0, not ${text}.`);
  return Number(text);
}
