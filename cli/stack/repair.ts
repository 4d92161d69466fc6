import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { costOfAll } from "../../lambda/billing/forecast";
import { readJson } from "../../local/json";
import { localFolder } from "../../local/paths";
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

/** What the next look must know of the repairs before, also where each look is a process of its own. */
const memory = z.object({
  inRow: z.number().default(0),
  /** The last one failed: the state may know no instance any more. */
  failed: z.boolean().default(false),
  /** Dollars that lost instances have cost, and their ids. */
  spent: z.number().default(0),
  counted: z.array(z.string()).default([]),
});

/** Runs an `up` where machines of a stack are lost. */
export class Repairs {
  private readonly file: string;

  constructor(
    private readonly stack: string,
    private readonly up: typeof upStack = upStack,
  ) {
    this.file = join(localFolder(), `repairs-${stack.replaceAll("/", "-")}.json`);
  }

  /** Tries again what has failed: a look finds no instance any more. Gives whether it came up; undefined: nothing was done. */
  async again(): Promise<boolean | undefined> {
    const { failed, inRow } = this.known();
    if (!failed) return undefined;
    const { machines } = await readView(this.stack);
    const isBegun = machines.some(({ instance, claims }) => instance === undefined && claims?.names.length);
    // Somebody has brought it up meanwhile, or down.
    if (!isBegun) this.note({ failed: false });
    else if (inRow < mostRepairs) return this.run("the last repair failed");
    else console.error(`Not repaired again: ${mostRepairs} repairs in a row have failed. Run \`npm run up\`.`);
    return undefined;
  }

  /** Repairs what a look has seen as lost. Gives whether it came up; undefined: nothing was done. */
  async after(seen: Seen): Promise<boolean | undefined> {
    const lost = lossesIn(seen, (stackFileConfig(this.stack).selfTerminate ?? "false") !== "false");
    if (lost.length === 0) {
      if (this.known().inRow > 0) this.note({ inRow: 0, failed: false });
      return undefined;
    }
    const refusal = this.refusal(seen, lost);
    if (refusal === undefined) return this.run(inWords(lost));
    console.error(`Not repaired: ${refusal}`);
    return undefined;
  }

  private async run(why: string): Promise<boolean | undefined> {
    if (await isWorkedOn(this.stack)) {
      console.error(`Not repaired now: another command is working on ${this.stack}.`);
      return undefined;
    }
    const inRow = this.known().inRow + 1;
    // As failed until it has ended well: this process may be killed.
    this.note({ inRow, failed: true });
    console.log(`Repairing ${this.stack} by an \`up\`, ${inRow} of at most ${mostRepairs} in a row: ${why}.`);
    const failed = (await this.up(this.stack, { unasked: true, refresh: true })) !== 0;
    this.note({ failed });
    return !failed;
  }

  /** Why nothing more is launched, in words. A new instance counts from its own launch, so the lost ones are added. */
  private refusal({ view: { machines }, cost, now }: Seen, lost: readonly SeenJob[]): string | undefined {
    const { inRow, spent: before, counted } = this.known();
    if (inRow >= mostRepairs) return `${mostRepairs} repairs in a row didn't last. Run \`npm run up\`.`;
    const gone = goneOf(lost).flatMap(({ instance }) =>
      instance === undefined || counted.includes(instance.id) ? [] : instance,
    );
    const spent = before + costOfAll(gone, now).dollars;
    this.note({ spent, counted: [...counted, ...gone.map(({ id }) => id)] });
    const budget = budgetIn(machines);
    const dollars = spent + (cost ?? 0);
    if (budget === undefined || dollars < budget) return undefined;
    return `the stack has cost $${dollars.toFixed(2)} with its lost instances, of budgetDollars $${budget.toFixed(2)}.`;
  }

  private known(): z.infer<typeof memory> {
    return memory.parse(memory.safeParse(readJson(this.file)).data ?? {});
  }

  private note(change: Partial<z.infer<typeof memory>>): void {
    mkdirSync(localFolder(), { recursive: true });
    writeFileSync(this.file, JSON.stringify({ ...this.known(), ...change }));
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
