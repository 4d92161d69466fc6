import { type FaultCase, kinds, nameOf, stages } from "./case";

/** What a run of the matrix was asked for, by the variables into which the bootstrap puts the options of `test:faults`. */
export interface Selection {
  /** All that is chosen; the covering subset where nothing was asked for. */
  readonly cases: readonly FaultCase[];
  /** What is chosen too, and beyond this user. */
  readonly beyond: readonly FaultCase[];
  readonly lanes: number;
  readonly seed: number;
  readonly soakMinutes: number;
  /** Whether cases that an earlier whole run passed on the same product are taken as they were. */
  readonly resume: boolean;
  /** Whether the run tells of the whole matrix, so that its figures are worth keeping. */
  readonly whole: boolean;
}

/** Reads the selection. @throws Error naming an option that is not as it can be */
export function selection(all: readonly FaultCase[], env: NodeJS.ProcessEnv = process.env): Selection {
  const isDefault = env.FAULTS !== "all";
  const { FAULTS_KIND: kind, FAULTS_STAGE: stage, FAULTS_CASE: part } = env;
  oneOf("--kind", kind, kinds);
  oneOf("--stage", stage, stages);
  const chosen = all.filter(
    (one) =>
      (!isDefault || one.inDefault === true) &&
      (kind === undefined || one.kind === kind) &&
      (stage === undefined || one.stage === stage) &&
      (part === undefined || nameOf(one).includes(part)),
  );
  const isPart = [kind, stage, part].some((each) => each !== undefined);
  if (isPart && chosen.length === 0) {
    const asked = Object.entries({ kind, stage, case: part }).flatMap(([option, value]) =>
      value === undefined ? [] : [`--${option} ${value}`],
    );
    throw new Error(`No case fits ${asked.join(" ")}. A case is named "kind · stage · fault"; capitals count.`);
  }
  if (isPart && env.FAULTS_RESUME !== undefined)
    throw new Error("--resume goes on with a whole run, not with a part of one.");
  const isRoot = process.getuid?.() === 0;
  const cases = chosen.filter(({ needsRoot = false }) => isRoot || !needsRoot);
  return {
    cases,
    beyond: chosen.filter((one) => !cases.includes(one)),
    lanes: amount("--lanes", env.FAULTS_LANES, isDefault ? 2 : 4),
    seed: amount("--seed", env.FAULTS_SEED, Math.floor(Math.random() * 2 ** 31)),
    soakMinutes: amount("--soak-minutes", env.FAULTS_SOAK_MINUTES, isDefault || isPart ? 0 : 3),
    resume: env.FAULTS_RESUME !== undefined,
    whole: cases.length === all.length,
  };
}

function oneOf(option: string, value: string | undefined, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.includes(value))
    throw new Error(`${option} must be one of ${allowed.join(", ")}, not ${value}.`);
}

function amount(option: string, text: string | undefined, fallback: number): number {
  if (text === undefined) return fallback;
  if (!/^\d+(\.\d+)?$/.test(text)) throw new Error(`${option} must be a number from 0, not ${text}.`);
  return Number(text);
}
