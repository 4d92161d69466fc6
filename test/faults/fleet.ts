import { setTimeout as sleep } from "node:timers/promises";
import { readRunFile } from "../../emulator/run-file";
import { fleetRule } from "../../lambda/account/fleet-access";
import type { TinyChanges } from "../support/tiny";
import { type ToldTrial, trialsOf } from "../support/trials";
import { readState } from "./invariants/after";
import type { RunSeen } from "./memory";
import { experiment, type World } from "./world";

/** The log of a sweep's worker, in the home of its machine. */
export const workerLog = `.lambda-train/runs/${experiment}/train.log`;

/** A sweep on two machines, one trial for each number of steps. */
export const sweepOf = (...steps: readonly number[]): TinyChanges => ({
  sweep: { grid: { steps }, metric: "error" },
  stack: { instances: 2 },
});

/** Two trials that train until they are stopped. */
export const endless = sweepOf(100_000, 100_001);

/** One training on two machines, until it is stopped. */
export const twoNodes: TinyChanges = { train: { nodes: 2 } };

/** Id of a machine's instance, by the state. */
export function instanceOf(world: World, machine: string): string {
  const name = machine === "machine" ? "instance-vm" : `${machine}-instance-vm`;
  const { resources = [] } = readState(world).checkpoint.latest ?? {};
  const id = resources.find(({ urn }) => urn.endsWith(`::${name}`))?.id;
  if (id === undefined) throw new Error(`The state knows no instance of ${machine}.`);
  return id;
}

/** Terminates a machine's instance behind its owner's back. Where all train together, the others stop by themselves. */
export async function lose(world: World, machine: string): Promise<void> {
  const id = instanceOf(world, machine);
  const stopped = world.isSweep ? [id] : (await world.living()).map((each) => each.id);
  for (const each of stopped) world.memory.disturbed.add(each);
  await world.cloud.admin.terminate(id);
}

/** The run of a machine that its experiment names. */
export function runOn(world: World, machine: string, name = experiment): RunSeen {
  const run = world.memory.runsOf(instanceOf(world, machine)).find((each) => each.experiment === name);
  if (run === undefined) throw new Error(`${name} never ran on ${machine}.`);
  return run;
}

/** Runs a command on a machine. Returns what it printed. */
export async function on({ project }: World, machine: string, command: string): Promise<string> {
  return (await project.run("ssh", ["--machine", machine, command])).output;
}

/** Both nodes train again, from a checkpoint. @throws Error where one doesn't */
export async function resumed(world: World): Promise<void> {
  for (const machine of ["machine", "machine-2"]) {
    const last = (await on(world, machine, "tail -n 1 starts")).trim();
    const { ended } = runOn(world, machine);
    if (ended || !(Number(last.split(" ")[0]) > 0))
      throw new Error(`${machine} ${ended ? "doesn't train" : "trains"}, last from step ${last}`);
  }
}

/** Waits until the trials of the sweep are so. */
export async function untilTrials(
  world: World,
  so: (trials: readonly ToldTrial[]) => boolean,
): Promise<readonly ToldTrial[]> {
  let trials = await trialsOf(world.project);
  const deadline = Date.now() + 120_000;
  while (!so(trials)) {
    if (Date.now() > deadline) throw new Error(`The trials never came to that: ${JSON.stringify(trials)}`);
    await sleep(500);
    trials = await trialsOf(world.project);
  }
  return trials;
}

/** Ids of the stack's rulesets, and how many rules of theirs let its machines in to each other. */
export async function fleetRules({ cloud }: World): Promise<Readonly<Record<string, number>>> {
  const { rulesets } = await cloud.admin.state();
  const ours = rulesets.filter(({ name }) => name !== "bystander");
  return Object.fromEntries(
    ours.map(({ id, rules }) => [id, rules.filter(({ description }) => description === fleetRule).length]),
  );
}

/** Takes the rules of the stack's machines out of its rulesets by the API, as somebody in the console might. */
export async function withoutFleetRules(world: World): Promise<void> {
  const { rulesets } = await world.cloud.admin.state();
  for (const { id, name, rules } of rulesets)
    if (name !== "bystander")
      await changeRules(
        world,
        id,
        rules.filter(({ description }) => description !== fleetRule),
      );
}

/** Takes the account's global rules away, which let in SSH from everywhere. Returns what puts them back. */
export async function withoutGlobalRules(world: World): Promise<() => Promise<void>> {
  const { globalRules } = await world.cloud.admin.state();
  await changeRules(world, "global", []);
  return () => changeRules(world, "global", globalRules);
}

async function changeRules({ cloud, project }: World, id: string, rules: readonly object[]): Promise<void> {
  const url = `${readRunFile(project.env.LAMBDA_TRAIN_LOCAL ?? "")?.url}/firewall-rulesets/${id}`;
  const headers = { authorization: `Bearer ${cloud.apiKey}`, "content-type": "application/json" };
  for (;;) {
    const answer = await fetch(url, { method: "PATCH", body: JSON.stringify({ rules }), headers });
    if (answer.ok) return;
    if (answer.status !== 429) throw new Error(`Ruleset ${id}: ${await answer.text()}`);
    await sleep(50);
  }
}
