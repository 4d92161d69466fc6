import * as pulumi from "@pulumi/pulumi";
import type { Plan } from "../plan/types";
import { Fleet } from "./fleet";
import type { Instance, Rulesets } from "./instance";
import { callerNetworks } from "./kit/caller-networks";
import { Machine, type ReadyMachine } from "./machine";

/** A machine of a stack, on which runs can start once it is ready. */
export interface StackMachine {
  readonly machine: string;
  readonly instance: Instance;
  /** Resolves when all that a run there needs is registered. */
  readonly ready: Promise<ReadyMachine>;
}

/** The machines of a plan. Where there are several, each is linked to the others. */
export async function machinesOf({ stack, machines, runs, results, onChange }: Plan): Promise<StackMachine[]> {
  const made: StackMachine[] = [];
  const [first] = machines;
  if (first === undefined) return made;
  const { endpoint, together = false } = first.cloud;
  const sshSources = await callerNetworks(first.cloud);
  const names = deferred<string[]>();
  let rulesetIds: Rulesets | undefined;
  for (const machine of machines) {
    const there = runs.filter((run) => run.machine === machine.machine);
    const plan = { ...machine, runs: there, results };
    const group = together ? { group: names.output } : {};
    const { instance, ready } = new Machine(machine.machine, {
      stack,
      plan,
      onChange,
      sshSources,
      rulesetIds,
      ...group,
    });
    made.push({ machine: machine.machine, instance, ready });
    // The first keeps its own, so that a stack of one grows without replacement, and the others share them.
    rulesetIds ??= instance.rulesetIds;
  }
  if (made.length === 1) return made;
  names.resolve(pulumi.all(made.map(({ instance }) => instance.uniqueName)));
  const { links } = new Fleet("fleet", { endpoint, members: made, together });
  const all = Promise.all(made.map(({ ready }) => ready));
  return made.map((each) => ({ ...each, ready: linked(each, links, together ? all : undefined) }));
}

/** @param all Whatever must be ready before a run starts on any of them. */
async function linked(
  { machine, ready }: StackMachine,
  links: Fleet["links"],
  all: Promise<readonly ReadyMachine[]> | undefined,
): Promise<ReadyMachine> {
  const own = await ready;
  if (all === undefined) return { ...own, needs: [...own.needs, ...(links.get(machine) ?? [])] };
  const needs = (await all).flatMap((each) => each.needs);
  return { ...own, needs: [...needs, ...[...links.values()].flat()] };
}

/** An output whose value comes later. */
function deferred<T>(): { readonly output: pulumi.Output<T>; readonly resolve: (value: pulumi.Output<T>) => void } {
  let resolve: (value: pulumi.Output<T>) => void = () => {};
  const promise = new Promise<pulumi.Output<T>>((settle) => {
    resolve = settle;
  });
  return { output: pulumi.output(promise) as unknown as pulumi.Output<T>, resolve };
}
