import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Invariant, Model } from "./model";
import { cutName, describeOperation, firstWanted, type Operation } from "./operations";
import { cutKey } from "./section";
import type { Performed, World } from "./world";

/** What is counted over all sequences. */
export interface Tally {
  readonly operations: Record<string, number>;
  /** What the engine was doing when it was cut, by how it was cut. */
  readonly cuts: Record<string, number>;
  readonly invariants: Partial<Record<Invariant, number>>;
}

/** A sequence did not do what the model allows. */
export class SequenceError extends Error {
  override readonly name = "SequenceError";
}

/**
 * Runs one sequence from an empty account to an empty account.
 * @returns all that happened, a line for each operation
 * @throws SequenceError with the same, and what is not as it must be
 */
export async function runSequence(world: World, operations: readonly Operation[], tally: Tally): Promise<string[]> {
  const story: string[] = [];
  try {
    await new Sequence(world, tally, story).run(operations);
    return story;
  } catch (error) {
    throw new SequenceError(`${story.map((line) => `  ${line}`).join("\n")}\n${(error as Error).message}`, {
      cause: error,
    });
  }
}

class Sequence {
  private readonly model: Model;
  private readonly results: string;

  constructor(
    private readonly world: World,
    private readonly tally: Tally,
    private readonly story: string[],
  ) {
    this.results = join(world.project.folder, "results", world.project.stack);
    this.model = new Model(this.results, (invariant) => {
      tally.invariants[invariant] = (tally.invariants[invariant] ?? 0) + 1;
    });
  }

  async run(operations: readonly Operation[]): Promise<void> {
    rmSync(this.results, { recursive: true, force: true });
    this.world.configure(firstWanted);
    for (const each of operations) await this.perform(each);
    await this.perform({ kind: "down", direct: false });
    // A process that outlived its command must not bring anything back.
    this.model.ended(await this.world.quiet(60));
    this.model.nothingLeft(await this.world.look(), "");
  }

  private async perform(operation: Operation): Promise<void> {
    const line = this.story.push(describeOperation(operation)) - 1;
    add(this.tally.operations, operation.kind);
    if (operation.kind === "terminate") return this.terminate();
    const done = await this.command(operation);
    // Of a provider's end the engine knows no more than that what it was deleting was not deleted.
    const hits = "cut" in operation && operation.cut?.how === "kill" && operation.cut.target === "provider";
    if (done.cutAt !== undefined && (hits || this.isDirect(operation))) this.model.gone = true;
    this.story[line] += done.cutAt === undefined ? "" : ` → ${done.cutAt}`;
    this.story[line] += ` [exit ${done.code}, ${done.seconds.toFixed(1)} s]`;
    if (done.cutAt !== undefined && "cut" in operation && operation.cut !== undefined) {
      add(this.tally.cuts, cutKey(cutName(operation.cut), operation.kind, done.cutAt));
    }
  }

  /** Whether it was the plain CLI, which leaves no note where it ended before its time by itself. */
  private isDirect(operation: Operation): boolean {
    return operation.kind === "refresh" || (operation.kind !== "terminate" && operation.direct);
  }

  private command(operation: Exclude<Operation, { kind: "terminate" }>): Promise<Performed> {
    if (operation.kind === "up") return this.up(operation);
    return operation.kind === "down" ? this.down(operation) : this.refresh(operation);
  }

  private async terminate(): Promise<void> {
    const { model, world } = this;
    for (const { id } of (await world.look()).instances) {
      await world.cloud.admin.terminate(id);
      model.lose(id);
      model.gone = true;
      model.settled = false;
    }
    await model.always(await world.look());
  }

  private async up(operation: Operation & { kind: "up" }): Promise<Performed> {
    const { model, world } = this;
    const { change = {}, cut, lost } = operation;
    const before = model.wanted;
    const changes = Object.entries(change).filter(([key, value]) => before[key as keyof typeof before] !== value);
    if (changes.length > 0) {
      model.settled = false;
      model.wanted = { ...before, ...change };
      world.configure(model.wanted);
      // Each of them ends the run, or begins another.
      model.mayHaveStopped();
      if (changes.some(([key]) => key === "pace")) model.paceChanged = true;
    }
    const hasNothingToDo = model.settled;
    // Only the operator commands mend what a killed one left.
    const direct = operation.direct && !model.killed;
    const refresh = model.gone;
    const done = await world.up({ direct, refresh, changes: changes.map(([key]) => key), cut, lost });
    return this.after(
      done,
      async () => {
        if (done.code !== 0 && (await this.refused(done))) return;
        model.up(done, await world.look());
        if (hasNothingToDo) model.upChangedNothing(done);
        model.settled = true;
        model.gone = false;
        model.unknownInstance = false;
        if (!direct) model.killed = false;
      },
      (isCut) => {
        if (isCut) model.unknownInstance = true;
      },
    );
  }

  /** Whether an `up` failed because it has to, telling what to do. Does it. */
  private async refused({ output }: Performed): Promise<boolean> {
    const { model, world } = this;
    if (/goes on with other settings than these/.test(output) && model.paceChanged) {
      model.wanted = { ...model.wanted, pace: model.otherPace };
      world.configure(model.wanted);
      return true;
    }
    if (model.unknownInstance && /launched by an interrupted `up`.*\n?.*Run `destroy`/.test(output)) {
      await this.perform({ kind: "down", direct: false });
      return true;
    }
    return false;
  }

  private async refresh({ cut }: Operation & { kind: "refresh" }): Promise<Performed> {
    const { model, world } = this;
    // The vendor's file backend may not be readable after a kill until an operator command has mended it.
    if (model.killed) {
      model.gone = true;
      return this.up({ kind: "up", direct: false, cut });
    }
    const done = await world.refresh(cut);
    return this.after(done, async () => {
      model.endedWell(done);
      model.gone = false;
    });
  }

  private async down(operation: Operation & { kind: "down" }): Promise<Performed> {
    const { model, world } = this;
    const { cut, lost } = operation;
    const direct = operation.direct && !model.killed;
    const done = await world.down({ direct, cut, lost });
    return this.after(
      done,
      async () => {
        model.down(done, await world.look());
        model.gone = false;
        model.settled = false;
        model.unknownInstance = false;
        if (!direct) model.killed = false;
      },
      (isCut) => {
        if (!isCut) return;
        model.settled = false;
        model.mayHaveStopped();
      },
    );
  }

  /** What holds after every command, and what only after one that was not cut. */
  private async after(
    done: Performed,
    whole: () => Promise<void>,
    note: (isCut: boolean) => void = () => undefined,
  ): Promise<Performed> {
    const { model, world } = this;
    const isCut = done.cutAt !== undefined;
    note(isCut);
    if (isCut) {
      model.killed = true;
      model.settled = false;
    }
    await model.always(await world.look());
    model.words(done);
    if (!isCut) await whole();
    return done;
  }
}

function add(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
