import type { Ended } from "../support/project";
import type { TinyChanges } from "../support/tiny";
import type { World } from "./world";

/**
 * Where a fault comes from: Lambda's API, the instance, the way to it, this machine, the user's code, the user's data; or what
 * only a stack of several machines can meet.
 */
export const kinds = ["api", "instance", "connection", "local", "workload", "data", "fleet"] as const;
export type Kind = (typeof kinds)[number];

/** Stages of a stack's life, in the order in which they come. */
export const stages = [
  "preview",
  "check",
  "claim",
  "launch",
  "boot",
  "connect",
  "upload",
  "setup",
  "gate",
  "start",
  "training",
  "evaluation",
  "download",
  "terminate",
  "refresh",
] as const;
export type Stage = (typeof stages)[number];

/** A fault that strikes at a stage, what must come of it, and how it passes. */
export interface FaultCase {
  /** The three together are unique and make the test's name. */
  readonly kind: Kind;
  readonly stage: Stage;
  readonly fault: string;
  /** Changes of the tiny workload's experiment and stack needed from the start. */
  readonly tiny?: TinyChanges;
  /** Anything before the fault, such as a first `up`. */
  readonly before?: (world: World) => Promise<unknown>;
  readonly inject: (world: World) => Promise<unknown>;
  /** The command that meets the fault. Default: `up`. */
  readonly act?: (world: World) => Promise<Ended>;
  /** `ridden out`: exit 0 although the fault struck; `told`: exit other than 0, with `message`; `killed`: by a signal. */
  readonly outcome: "ridden out" | "told" | "killed";
  /** What the output must hold. */
  readonly message?: RegExp;
  /** The state afterwards, beyond the invariants. */
  readonly after?: (world: World, ended: Ended) => Promise<unknown>;
  /** Takes the fault away. Default: {@link World.heal}. */
  readonly heal?: (world: World) => Promise<unknown>;
  /** Only root can strike so; others leave it out. */
  readonly needsRoot?: boolean;
  /** Part of the covering subset that the default test run takes. */
  readonly inDefault?: boolean;
}

export const nameOf = ({ kind, stage, fault }: Pick<FaultCase, "kind" | "stage" | "fault">): string =>
  `${kind} · ${stage} · ${fault}`;
