/** What must hold after every command, by the promise of docs/design that it comes from. */
export const invariants = {
  known: "every living instance is known: its id, after a kill its unique name, is in the state",
  single: "never do more instances live than the stack has machines, nor two for one machine",
  untouched: "what others have in the account is untouched",
  secrets: "no secret in output, plain state, the instance's home or the project's files",
  teaches: "output has no stack trace, no `undefined`; a failure says what to do",
  running: "a run that goes on is neither restarted nor stopped by a fault",
  free: "nothing is rented where a free check fails",
  state: "the state is valid, without pending operations or a stale lock",
  again: "`up` again succeeds once the fault is gone",
  empty: "after `down` the account holds nothing of the stack's, and the state nothing at all",
  billed: "after `down` nothing is billed any more",
  results: "results that a run had written are home after `down`, as their manifest says",
  beside: "what a run had written outside of its outputs is home after `down`, below beside/",
  ended: "after `down` no process of the project's is left",
} as const;

export type Invariant = keyof typeof invariants;

/** Counts how often each invariant was checked. */
export class Tally {
  readonly checks = new Map<Invariant, number>();

  /** Takes in what an earlier run checked. */
  add(earlier: Readonly<Partial<Record<Invariant, number>>>): void {
    for (const [invariant, count] of Object.entries(earlier))
      this.checks.set(invariant as Invariant, (this.checks.get(invariant as Invariant) ?? 0) + count);
  }

  /** @throws Error naming the invariant, unless it holds */
  hold(invariant: Invariant, fine: boolean, detail: () => string): void {
    this.checks.set(invariant, (this.checks.get(invariant) ?? 0) + 1);
    if (!fine) throw new Error(`Broken: ${invariants[invariant]}.\n${detail()}`);
  }
}
