import fc from "fast-check";
import { Journal } from "../support/journal";
import { describeOperation, type Operation, sequences } from "./operations";
import type { CrashOptions } from "./options";
import { runSequence, SequenceError, type Tally } from "./sequence";
import { World } from "./world";

/** A sequence that failed, as small as it could be made in the time given. */
export interface Failure {
  readonly seed: number;
  readonly path: string;
  readonly operations: readonly Operation[];
  /** All that happened. */
  readonly story: string;
  /** It did not fail when it was run again as it was. */
  readonly failedOnce: boolean;
}

/** What came of it. */
export interface CrashReport {
  readonly passed: number;
  readonly failures: readonly Failure[];
  readonly minutes: number;
  readonly tally: Tally;
}

/** What a run has passed so far: sequences by their place in those of the seed. */
interface Kept {
  readonly seed: number;
  readonly passed: readonly number[];
  readonly minutes: number;
  readonly tally: Tally;
}

/** Runs sequences side by side, each lane with a project and an emulated cloud of its own. */
export class Lanes {
  private readonly tally: Tally = { operations: {}, cuts: {}, invariants: {} };
  private readonly failures: Failure[] = [];
  private readonly began = Date.now();
  private readonly passed = new Set<number>();
  private journal: Journal<Kept> | undefined;
  private earlierMinutes = 0;
  private next = 0;

  /** @param say prints a line for people */
  constructor(
    private readonly options: CrashOptions,
    private readonly say: (line: string) => void,
  ) {}

  /** Runs all; ends early where sequences fail: three are enough to look into. */
  async run(): Promise<CrashReport> {
    const { sequences: count, seed, lanes, resume, all } = this.options;
    const { say } = this;
    const queue = fc.sample(sequences, { seed, numRuns: count });
    say(`${count} sequences of seed ${seed} on ${lanes} lanes`);
    if (all) this.journal = new Journal("crash");
    if (resume) this.takeUp();
    const progress = setInterval(() => say(this.progress), 30_000);
    try {
      await Promise.all(Array.from({ length: Math.min(lanes, count) }, () => this.lane(queue)));
    } finally {
      clearInterval(progress);
    }
    say(this.progress);
    return this.report;
  }

  /** Takes what an earlier run passed of the same sequences as it was. */
  private takeUp(): void {
    const kept = this.journal?.read();
    if (kept?.seed !== this.options.seed) return;
    for (const index of kept.passed) this.passed.add(index);
    Object.assign(this.tally, kept.tally);
    this.earlierMinutes = kept.minutes;
    this.say(`${this.passed.size} of them were passed before, on the same product`);
  }

  private get report(): CrashReport {
    const { passed, failures, tally } = this;
    return { passed: passed.size, failures, tally, minutes: this.elapsed };
  }

  /** Runs one sequence as it was printed, without shrinking. */
  async replay(path: string): Promise<CrashReport> {
    const lane = new Lane(this.tally);
    try {
      const details = await fc.check(lane.property(), {
        seed: this.options.seed,
        path,
        numRuns: 1,
        endOnFailure: true,
      });
      if (details.failed) this.failures.push(failureOf(details, path));
      else {
        this.passed.add(0);
        this.say(`passed:\n${lane.story.join("\n")}`);
      }
    } finally {
      await lane.dispose();
    }
    return this.report;
  }

  private get elapsed(): number {
    return this.earlierMinutes + (Date.now() - this.began) / 60_000;
  }

  private get progress(): string {
    const operations = Object.values(this.tally.operations).reduce((sum, each) => sum + each, 0);
    const cuts = Object.values(this.tally.cuts).reduce((sum, each) => sum + each, 0);
    return (
      `${this.elapsed.toFixed(1)} min: ${this.passed.size} of ${this.options.sequences} sequences passed, ` +
      `${this.failures.length} failed; ${operations} operations, ${cuts} of them cut`
    );
  }

  private async lane(queue: readonly Operation[][]): Promise<void> {
    const { seed, minutes } = this.options;
    const lane = new Lane(this.tally);
    try {
      while (this.next < queue.length && this.failures.length < 3 && this.elapsed < minutes) {
        const index = this.next;
        this.next += 1;
        if (this.passed.has(index)) continue;
        try {
          await lane.run(queue[index] ?? []);
          this.passed.add(index);
          const { elapsed: minutes, tally } = this;
          this.journal?.write({ seed, passed: [...this.passed], minutes, tally });
        } catch (error) {
          this.say(`sequence ${index} failed (seed ${seed}, path ${index}):\n${(error as Error).message}`);
          this.failures.push(await this.shrink(lane, index, queue[index] ?? [], error as Error));
        }
      }
    } finally {
      await lane.dispose();
    }
  }

  private async shrink(lane: Lane, index: number, operations: readonly Operation[], error: Error): Promise<Failure> {
    const { seed, shrinkMinutes } = this.options;
    const unshrunk = { seed, path: String(index), operations, story: error.message, failedOnce: true };
    if (shrinkMinutes === 0) return { ...unshrunk, failedOnce: false };
    this.say(`shrinking sequence ${index}, ${shrinkMinutes} min at most`);
    const details = await fc.check(lane.property(), {
      seed,
      path: String(index),
      numRuns: 1,
      interruptAfterTimeLimit: shrinkMinutes * 60_000,
    });
    // Where time was over, what ran then still does.
    await lane.idle();
    return details.failed ? failureOf(details, String(index)) : unshrunk;
  }
}

function failureOf(details: fc.RunDetails<[Operation[]]>, path: string): Failure {
  const { seed, counterexample, counterexamplePath, errorInstance } = details;
  const story = errorInstance instanceof Error ? errorInstance.message : String(errorInstance);
  return { seed, path: counterexamplePath ?? path, operations: counterexample?.[0] ?? [], story, failedOnce: false };
}

/** A failure for people: what fails, and how to run it again. */
export function failureText({ seed, path, operations, story, failedOnce }: Failure): string {
  return [
    `A sequence fails${failedOnce ? " (not when it was run again: it depends on time)" : ""}:`,
    ...operations.map((each) => `  ${describeOperation(each)}`),
    `What happened:\n${story}`,
    `Run it again: npm run test:crash -- --seed ${seed} --path ${path}`,
  ].join("\n");
}

/** One world after another: a world in which something went wrong is not used again. */
class Lane {
  /** What happened in the last sequence that passed. */
  story: readonly string[] = [];
  private world: World | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly tally: Tally) {}

  property(): fc.IAsyncProperty<[Operation[]]> {
    return fc.asyncProperty(sequences, (operations) => this.run(operations));
  }

  /** Runs a sequence. */
  run(operations: readonly Operation[]): Promise<void> {
    const running = this.runNow(operations);
    this.running = running.catch(() => undefined);
    return running;
  }

  /** Resolves when nothing runs. */
  idle(): Promise<void> {
    return this.running;
  }

  private async runNow(operations: readonly Operation[]): Promise<void> {
    this.world ??= await World.create();
    try {
      this.story = await runSequence(this.world, operations, this.tally);
    } catch (error) {
      await this.dispose();
      throw error instanceof SequenceError ? error : new SequenceError(String(error), { cause: error });
    }
  }

  async dispose(): Promise<void> {
    const { world } = this;
    this.world = undefined;
    await world?.dispose();
  }
}
