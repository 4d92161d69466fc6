import { costOfAll } from "../../lambda/billing/forecast";
import { isWorkedOn } from "./killed-cli";
import { budgetIn } from "./limits";
import { lossesIn } from "./losses";
import { stackFileConfig } from "./pulumi";
import { readView } from "./read";
import type { Seen, SeenJob } from "./seen";
import { distinctMachines } from "./stack-view";
import { upStack } from "./up";

/** So many repairs without a look in between at which nothing was lost. */
export const mostRepairs = 3;

/** Runs an `up` where machines of a stack are lost. */
export class Repairs {
  private inRow = 0;
  /** Dollars that lost instances have cost, as far as it has seen them. */
  private spent = 0;
  private counted = new Set<string>();
  /** The stack whose last repair failed. */
  private owed: string | undefined;

  constructor(private readonly up: typeof upStack = upStack) {}

  /** Tries again what has failed: a look can't tell what the state knows no more. Gives whether it came up; undefined: nothing was done. */
  async again(): Promise<boolean | undefined> {
    const stack = this.owed;
    if (stack === undefined) return undefined;
    const { machines } = await readView(stack);
    const isBegun = machines.some(({ instance, claims }) => instance === undefined && claims?.names.length);
    // Somebody has brought it up meanwhile, or down.
    if (!isBegun) this.owed = undefined;
    else if (this.inRow < mostRepairs) return this.run(stack, "the last repair failed");
    else {
      this.owed = undefined;
      console.error(`Not repaired again: ${mostRepairs} repairs of ${stack} in a row have failed. Run \`npm run up\`.`);
    }
    return undefined;
  }

  /** Repairs what a look has seen as lost. Gives whether it came up; undefined: nothing was done. */
  async after(seen: Seen): Promise<boolean | undefined> {
    const { stack } = seen.view;
    const lost = lossesIn(seen, (stackFileConfig(stack).selfTerminate ?? "false") !== "false");
    if (lost.length === 0) {
      this.inRow = 0;
      return undefined;
    }
    const refusal = this.refusal(seen, lost);
    if (refusal !== undefined) {
      console.error(`Not repaired: ${refusal}`);
      return undefined;
    }
    return this.run(stack, inWords(lost));
  }

  private async run(stack: string, why: string): Promise<boolean | undefined> {
    if (await isWorkedOn(stack)) {
      console.error(`Not repaired now: another command is working on ${stack}.`);
      return undefined;
    }
    this.inRow += 1;
    console.log(`Repairing ${stack} by an \`up\`, ${this.inRow} of at most ${mostRepairs} in a row: ${why}.`);
    const failed = (await this.up(stack, { unasked: true, refresh: true })) !== 0;
    this.owed = failed ? stack : undefined;
    return !failed;
  }

  /** Why nothing more is launched, in words. A new instance counts from its own launch, so the lost ones are added. */
  private refusal({ view: { stack, machines }, cost, now }: Seen, lost: readonly SeenJob[]): string | undefined {
    if (this.inRow >= mostRepairs)
      return `${mostRepairs} repairs of ${stack} in a row didn't last. Run \`npm run up\`.`;
    const gone = distinctMachines(lost.filter((each) => each.gone).map(({ job }) => job)).flatMap(({ instance }) =>
      instance === undefined || this.counted.has(instance.id) ? [] : instance,
    );
    this.spent += costOfAll(gone, now).dollars;
    for (const { id } of gone) this.counted.add(id);
    const budget = budgetIn(machines);
    const dollars = this.spent + (cost ?? 0);
    if (budget === undefined || dollars < budget) return undefined;
    return `${stack} has cost $${dollars.toFixed(2)} with its lost instances, of budgetDollars $${budget.toFixed(2)}.`;
  }
}

function inWords(lost: readonly SeenJob[]): string {
  const gone = distinctMachines(lost.filter((each) => each.gone).map(({ job }) => job));
  if (gone.length === 0) return "its training was stopped, since a machine didn't answer";
  const instances = gone.map(({ machine, instance }) => `${machine} (instance ${instance?.id})`).join(", ");
  return `${instances} ${gone.length === 1 ? "is" : "are"} gone`;
}
