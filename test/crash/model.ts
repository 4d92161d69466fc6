import { readdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Verification, verifyResults } from "../../remote/transfer/download";
import { parseSource } from "../../remote/transfer/results-source";
import { badWords } from "../faults/invariants/words";
import { invariants as faultInvariants } from "../faults/tally";
import { broughtFromElsewhere } from "../support/elsewhere";
import { choices, firstWanted, type Wanted } from "./operations";
import { type Performed, type SeenRun, type Sight, stepOf } from "./world";

/** What must hold. The first are those of the fault matrix. */
export const invariants = {
  known: faultInvariants.known,
  single: "at most one instance of the stack is rented",
  untouched: faultInvariants.untouched,
  claimed: "keys and rulesets carry a unique name that the state has",
  running: "a run is not started again unless something may have stopped it",
  home: "an instance goes only when the checkpoints seen on it, or later ones, are home",
  beside: "and the checkpoints that were seen outside of the outputs, below beside/",
  whole: "results at home are as their manifest says, also after a cut download",
  fine: "a command that is not cut ends well, whatever was cut before it",
  rented: "`up` ends with one active instance of the wanted type and region, the one in the state",
  started: "`up` ends with the wanted experiment past its first step, or finished",
  still: "`up` after a whole `up` changes nothing",
  empty: faultInvariants.empty,
  ended: "what a killed command leaves running ends by itself",
  words: "output has no stack trace and no `undefined`",
} as const;

export type Invariant = keyof typeof invariants;

/** An invariant does not hold. */
export class Broken extends Error {
  override readonly name = "Broken";
  constructor(
    readonly invariant: Invariant,
    what: string,
  ) {
    super(`Broken: ${invariants[invariant]}.\n${what}`);
  }
}

/** What may be, by all that has happened to the stack. */
export class Model {
  wanted: Wanted = firstWanted;
  /** An `up` came to its end, and nothing that it would change has happened since. */
  settled = false;
  /**
   * Things may be gone that the state holds, and no operation that looks has come to its end since: somebody ended the
   * instance, or a provider was killed after it had deleted something. Then `up` is told to look, as the user would.
   */
  gone = false;
  /**
   * A command was cut, and no operator command has come to its end since: its lock may be there, and in the state what
   * it had begun. The operator commands mend that.
   */
  killed = false;
  /** An `up` was cut since the last destroy, so that an instance may exist of which the state has the name alone. */
  unknownInstance = false;
  /** The pace has been another, so that a run may go on under that and an `up` be refused. */
  paceChanged = false;
  /** How often a run may have been stopped, or replaced, so that it may start again. */
  private stops = 0;
  /** Runs seen on instances, by where their results come from. */
  private readonly runs = new Map<string, SeenRun>();
  /** Instances that somebody else ended: what they held is lost. */
  private readonly lost = new Set<string>();
  /** Where results came from → steps of the checkpoints from outside of the outputs that are home with them. */
  private readonly besideHome = new Map<string, Readonly<Record<string, number>>>();
  private readonly verified = new Map<string, string>();

  constructor(
    private readonly results: string,
    private readonly count: (invariant: Invariant) => void,
  ) {}

  /** Notes that a run may have been stopped. */
  mayHaveStopped(): void {
    this.stops += 1;
  }

  /** Notes that an instance was ended by somebody else. */
  lose(instanceId: string): void {
    this.lost.add(instanceId);
  }

  /** The other pace: the one under which a run goes on, where the wanted one is refused. */
  get otherPace(): Wanted["pace"] {
    return choices.pace.find((pace) => pace !== this.wanted.pace) ?? this.wanted.pace;
  }

  /** Holds at any time, whatever was cut. */
  async always(sight: Sight): Promise<void> {
    const { instances, knownIds, claims, sshKeys, rulesets, others, runs } = sight;
    this.holds("single", instances.length <= 1, instances);
    this.holds(
      "known",
      instances.every(({ id, name }) => knownIds.includes(id) || claims.includes(name)),
      { instances, knownIds, claims },
    );
    const claimed = (name: string): boolean =>
      claims.some((claim) => name === claim || name.startsWith(`${claim}-us-`));
    this.holds("claimed", [...sshKeys, ...rulesets].every(claimed), {
      ...{ sshKeys, rulesets, claims },
    });
    this.holds("untouched", others === "", others);
    for (const run of runs) {
      this.holds("running", run.attempts <= 1 + this.stops, run);
    }
    await this.resultsAreHome(sight);
    for (const run of runs) this.runs.set(run.source, run);
  }

  /** After an `up` that was not cut. */
  up(performed: Performed, { instances, knownIds, runs }: Sight): void {
    this.endedWell(performed);
    const { experiment, instanceType, region } = this.wanted;
    const [one] = instances;
    const isRight =
      one?.status === "active" && one.instanceType === instanceType && one.region === region && knownIds[0] === one.id;
    this.holds("rented", isRight && knownIds.length === 1, {
      instances,
      knownIds,
      wanted: this.wanted,
      output: performed.output,
    });
    this.holds(
      "started",
      runs.some((run) => run.experiment === experiment && (run.hasFirstStep || run.isFinished)),
      { runs, wanted: this.wanted, output: performed.output },
    );
  }

  /** After an `up` that was not cut and had nothing to do. */
  upChangedNothing({ output }: Performed): void {
    const isUnchanged = /Resources:\n\s+\d+ unchanged\n/.test(output);
    this.holds("still", isUnchanged && !/\b(warning|pending)\b/i.test(output), output);
  }

  endedWell({ code, output }: Performed): void {
    this.holds("fine", code === 0, output);
  }

  words({ output }: Performed): void {
    const bad = badWords(output);
    this.holds("words", bad === undefined, { bad, output });
  }

  /** After all that had been killed had time to end. `left`: what lives on. */
  ended(left: readonly string[]): void {
    this.holds("ended", left.length === 0, left.join("\n"));
  }

  /** After a destroy that was not cut. */
  down(performed: Performed, sight: Sight): void {
    this.endedWell(performed);
    this.nothingLeft(sight, performed.output);
  }

  /** Nothing is left of the stack. */
  nothingLeft({ instances, sshKeys, rulesets, resources }: Sight, output: string): void {
    const left = { instances, sshKeys, rulesets, resources };
    const isEmpty = instances.length + sshKeys.length + rulesets.length + resources === 0;
    this.holds("empty", isEmpty, { left, output });
  }

  /** Every checkpoint that was seen on an instance which is gone now is here, or a later one of the same run. */
  private async resultsAreHome({ instances }: Sight): Promise<void> {
    const home = await this.atHome();
    for (const [source, { instanceId, step, elsewhere }] of this.runs) {
      if (instances.some(({ id }) => id === instanceId)) continue;
      this.runs.delete(source);
      if (this.lost.has(instanceId)) continue;
      const here = home.get(source);
      this.holds("home", here !== undefined && here >= step, { source, step, home: Object.fromEntries(home) });
      const brought = this.besideHome.get(source) ?? {};
      const all = Object.entries(elsewhere).every(([path, at]) => (brought[path] ?? -1) >= at);
      this.holds("beside", all, { source, elsewhere, brought });
    }
  }

  /** Verifies every folder of results, once for each content: where they came from → step of the checkpoint in it. */
  private async atHome(): Promise<Map<string, number>> {
    const steps = new Map<string, number>();
    this.besideHome.clear();
    for (const name of foldersIn(this.results)) {
      if (name.startsWith(".")) continue;
      const folder = join(this.results, name);
      const { ok, missing, changed, source, createdAt } = await verifiedSoon(folder);
      if (this.verified.get(folder) !== createdAt) {
        this.holds("whole", ok, { folder, missing, changed });
        this.verified.set(folder, createdAt);
      }
      steps.set(source, Math.max(steps.get(source) ?? 0, stepOf(folder)));
      const experiment = parseSource(source)?.experiment ?? "";
      const before = this.besideHome.get(source) ?? {};
      const later = Object.entries(broughtFromElsewhere(folder, experiment)).map(
        ([path, step]) => [path, Math.max(step, before[path] ?? 0)] as const,
      );
      this.besideHome.set(source, { ...before, ...Object.fromEntries(later) });
    }
    return steps;
  }

  private holds(invariant: Invariant, does: boolean, what: unknown): void {
    this.count(invariant);
    if (!does) throw new Broken(invariant, typeof what === "string" ? what : textOf(what));
  }
}

/** What was seen, with what a command printed as it printed it. */
function textOf(what: unknown): string {
  if (typeof what !== "object" || what === null || !("output" in what)) return JSON.stringify(what, undefined, 2);
  const { output, ...rest } = what;
  return `${JSON.stringify(rest, undefined, 2)}\n${output}`;
}

/** Verifies results. What outlived a killed command may be putting new ones in their place just now. */
async function verifiedSoon(folder: string): Promise<Verification> {
  try {
    const found = await verifyResults(folder);
    if (found.ok) return found;
  } catch {
    // Looked at again below.
  }
  await sleep(1000);
  return verifyResults(folder);
}

function foldersIn(folder: string): string[] {
  try {
    const entries = readdirSync(folder, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    // Whoever writes the ledger holds its lock, which is a folder.
    return folders.filter((name) => !name.endsWith(".lock"));
  } catch {
    return [];
  }
}
