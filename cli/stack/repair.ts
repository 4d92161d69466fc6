import { costOfAll } from "../../lambda/billing/forecast";
import { isWorkedOn } from "./killed-cli";
import { budgetIn } from "./limits";
import { lossesIn } from "./losses";
import { stackFileConfig } from "./pulumi";
import { readView } from "./read";
import { knownRepairs, mayHaveFailed, noteRepairs } from "./repair-memory";
import type { Seen, SeenJob } from "./seen";
import { distinctMachines, type MachineView } from "./stack-view";
import { upStack } from "./up";

/** So many repairs without a look in between at which nothing was lost. */
export const mostRepairs = 3;

/** Runs an `up` where machines of a stack are lost. */
export class Repairs {
  constructor(
    private readonly stack: string,
    private readonly up: typeof upStack = upStack,
  ) {}

  /** Tries again what has failed: a look finds no instance any more. Gives whether it came up; undefined: nothing was done. */
  async again(): Promise<boolean | undefined> {
    if (!mayHaveFailed(this.stack)) return undefined;
    const { machines } = await readView(this.stack);
    const { failed, inRow } = knownRepairs(this.stack, machines);
    if (!failed) return undefined;
    const isBegun = machines.some(({ instance, claims }) => instance === undefined && claims?.names.length);
    // Somebody has brought it up meanwhile, or down.
    if (!isBegun) noteRepairs(this.stack, machines, { failed: false });
    else if (inRow < mostRepairs) return this.run(machines, "the last repair failed");
    else console.error(`Not repaired again: ${mostRepairs} repairs in a row have failed. Run \`npm run up\`.`);
    return undefined;
  }

  /** Repairs what a look has seen as lost. Gives whether it came up; undefined: nothing was done. */
  async after(seen: Seen): Promise<boolean | undefined> {
    const lost = lossesIn(seen, (stackFileConfig(this.stack).selfTerminate ?? "false") !== "false");
    const { machines } = seen.view;
    if (lost.length === 0) {
      if (knownRepairs(this.stack, machines).inRow > 0) noteRepairs(this.stack, machines, { inRow: 0, failed: false });
      return undefined;
    }
    const refusal = this.refusal(seen, lost);
    if (refusal === undefined) return this.run(machines, inWords(lost));
    console.error(`Not repaired: ${refusal}`);
    return undefined;
  }

  private async run(machines: readonly MachineView[], why: string): Promise<boolean | undefined> {
    if (await isWorkedOn(this.stack)) {
      console.error(`Not repaired now: another command is working on ${this.stack}.`);
      return undefined;
    }
    const inRow = knownRepairs(this.stack, machines).inRow + 1;
    // As failed until it has ended well: this process may be killed.
    noteRepairs(this.stack, machines, { inRow, failed: true });
    console.log(`Repairing ${this.stack} by an \`up\`, ${inRow} of at most ${mostRepairs} in a row: ${why}.`);
    const failed = (await this.up(this.stack, { unasked: true, refresh: true })) !== 0;
    noteRepairs(this.stack, machines, { failed });
    return !failed;
  }

  /** Why nothing more is launched, in words. A new instance counts from its own launch, so the lost ones are added. */
  private refusal({ view: { machines }, cost, now }: Seen, lost: readonly SeenJob[]): string | undefined {
    const { inRow, spent: before, counted } = knownRepairs(this.stack, machines);
    if (inRow >= mostRepairs) return `${mostRepairs} repairs in a row didn't last. Run \`npm run up\`.`;
    const gone = goneOf(lost).flatMap(({ instance }) =>
      instance === undefined || counted.includes(instance.id) ? [] : instance,
    );
    const spent = before + costOfAll(gone, now).dollars;
    noteRepairs(this.stack, machines, { spent, counted: [...counted, ...gone.map(({ id }) => id)] });
    const budget = budgetIn(machines);
    const dollars = spent + (cost ?? 0);
    if (budget === undefined || dollars < budget) return undefined;
    return `the stack has cost $${dollars.toFixed(2)} with its lost instances, of budgetDollars $${budget.toFixed(2)}.`;
  }
}

function goneOf(lost: readonly SeenJob[]): ReturnType<typeof distinctMachines<SeenJob["job"]>> {
  return distinctMachines(lost.filter((each) => each.gone).map(({ job }) => job));
}

function inWords(lost: readonly SeenJob[]): string {
  const gone = goneOf(lost);
  if (gone.length === 0) return "its training was stopped, since a machine didn't answer";
  const instances = gone.map(({ machine, instance }) => `${machine} (instance ${instance?.id})`).join(", ");
  return `${instances} ${gone.length === 1 ? "is" : "are"} gone`;
}
