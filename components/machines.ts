import * as pulumi from "@pulumi/pulumi";
import { resultsOf } from "../plan/fleet";
import { giverOf } from "../plan/pass-on";
import { onlyMachine, type Plan } from "../plan/types";
import { nodesCheckOf } from "../remote/scripts";
import { Fleet } from "./fleet";
import type { Instance } from "./instance";
import { callerNetworks } from "./kit/caller-networks";
import { paced } from "./kit/pace";
import { userError } from "./kit/user-error";
import { Machine, type ReadyMachine } from "./machine";
import { NodesGate } from "./resources/nodes";

/** A machine of a stack, on which runs can start once it is ready. */
export interface StackMachine {
  readonly machine: string;
  readonly instance: Instance;
  /** Resolves when all that a run there needs is registered. */
  readonly ready: Promise<ReadyMachine>;
}

/** Where the resources of a training are: the stack's own without a parent, or one of several in a program. */
export interface TrainingPlace {
  readonly parent?: pulumi.Resource;
  /** What stands before the names of resources that a training has once. Default: nothing. */
  readonly prefix?: string;
}

/** The machines of a plan. Where there are several, each is linked to the others. */
export async function machinesOf(
  { stack, machines, runs, results, onChange }: Plan,
  { parent, prefix = "" }: TrainingPlace = {},
): Promise<StackMachine[]> {
  const made: StackMachine[] = [];
  const [first] = machines;
  if (first === undefined) return made;
  const { endpoint, together = false } = first.cloud;
  const sshSources = await callerNetworks(first.cloud);
  const names = deferred<string[]>();
  const links = promised<Fleet["links"]>();
  const inTurn = paced();
  let shared: Pick<Instance, "rulesetIds" | "fileSystem"> | undefined;
  for (const [number, machine] of machines.entries()) {
    const there = runs.filter((run) => run.machine === machine.machine);
    const plan = { ...machine, runs: there, results: resultsOf(results, there) };
    const group = together ? { group: names.output } : {};
    const source = machine.passesOn === true && number > 0 ? made[giverOf(number, together)] : undefined;
    const giver = source && {
      machine: source.machine,
      instanceId: source.instance.id,
      links: links.promise.then((all) => all.get(machine.machine) ?? []),
    };
    const args = { stack, plan, onChange, sshSources, ...shared, ...group, ...(giver && { giver }) };
    const { instance, ready } = await inTurn(() => new Machine(machine.machine, args, { parent }));
    made.push({ machine: machine.machine, instance, ready: ready.then((own) => withAll(own, machines)) });
    // The first keeps its own, so that a stack of one grows without replacement, and the others share them.
    shared ??= { rulesetIds: instance.rulesetIds, fileSystem: instance.fileSystem };
  }
  if (made.length === 1) return made;
  names.resolve(pulumi.all(made.map(({ instance }) => instance.uniqueName)));
  const fleet = new Fleet(`${prefix}fleet`, { endpoint, members: made, together }, { parent });
  links.resolve(fleet.links);
  if (!together) return made.map((each) => ({ ...each, ready: linked(each, fleet.links) }));
  const checked = nodesChecked(made, [...fleet.links.values()].flat(), { parent, prefix });
  return made.map((each) => ({ ...each, ready: withNeeds(each, checked) }));
}

/** @throws RunError where a run goes on that trains on other machines: it would lose one, or not get one. */
function withAll(own: ReadyMachine, machines: Plan["machines"]): ReadyMachine {
  const names = machines.map(({ machine }) => machine);
  for (const { run } of own.plan.runs) {
    const before = run.node?.machines ?? (machines[0]?.cloud.together === true ? [onlyMachine] : undefined);
    if (before === undefined || before.join() === names.join()) continue;
    throw userError(
      `${run.experiment} still trains on ${before.length} machines, and train.nodes is now ${names.length}. No machine was ` +
        "ended. Wait for its end (`npm run wait`) or stop it at a checkpoint (`npm run stop`), then run `npm run up` again.",
    );
  }
  return own;
}

/** A machine that speaks to others before it works. */
async function linked({ machine, ready }: StackMachine, links: Fleet["links"]): Promise<ReadyMachine> {
  const own = await ready;
  return { ...own, needs: [...own.needs, ...(links.get(machine) ?? [])] };
}

/** What must be done before a training on all machines starts on any of them. */
async function nodesChecked(
  machines: readonly StackMachine[],
  links: readonly pulumi.Resource[],
  { parent, prefix = "" }: TrainingPlace,
): Promise<pulumi.Resource[]> {
  const all = await Promise.all(machines.map(({ ready }) => ready));
  const needs = [...all.flatMap((each) => each.needs), ...links];
  const [first] = machines;
  const [plan] = all.map((each) => each.plan);
  if (first === undefined || plan === undefined) return needs;
  const { access } = first.instance;
  const instanceIds = machines.map(({ instance }) => instance.id);
  const check = nodesCheckOf(plan);
  const environment = plan.environment.hash;
  const gate = new NodesGate(
    `${prefix}nodes-gate`,
    { access, instanceIds, check, environment },
    { parent, dependsOn: needs },
  );
  return [...needs, gate];
}

async function withNeeds({ ready }: StackMachine, needs: Promise<pulumi.Resource[]>): Promise<ReadyMachine> {
  return { ...(await ready), needs: await needs };
}

/** An output whose value comes later. */
function deferred<T>(): { readonly output: pulumi.Output<T>; readonly resolve: (value: pulumi.Output<T>) => void } {
  const { promise, resolve } = promised<pulumi.Output<T>>();
  return { output: pulumi.output(promise) as unknown as pulumi.Output<T>, resolve };
}

/** A promise whose value comes later. */
function promised<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((settle) => {
    resolve = settle;
  });
  return { promise, resolve };
}
