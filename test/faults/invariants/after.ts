import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { InstanceRecord } from "../../../emulator/state/model";
import type { Ended } from "../../support/project";
import type { Command, World } from "../world";
import { findSecret } from "./secrets";
import { badWords, sayNext } from "./words";

/** A state file as far as the invariants read it. */
interface StateFile {
  readonly checkpoint: {
    readonly latest?: {
      readonly resources?: readonly { readonly urn: string; readonly type: string; readonly id?: string }[];
      readonly pending_operations?: readonly unknown[];
    };
  };
}

/** Whether a command was ended by SIGKILL, so that it could neither tell nor save anything. */
export const wasKilled = ({ code }: Ended): boolean => code === 137;

/** Checks what must hold after any command, whatever came of it. */
export async function checkAfter(world: World, command: Command, ended: Ended): Promise<void> {
  const { tally, memory, bystander, project } = world;
  const records = await memory.takeIn();
  const state = readState(world);
  const text = JSON.stringify(state);

  const ids = (state.checkpoint.latest?.resources ?? [])
    .filter(({ type }) => type.endsWith("lambda-train:Instance"))
    .map(({ id }) => id);
  // A launch whose answer is lost and cannot be looked up leaves the name alone, which the state had before.
  const byName = world.combined || wasKilled(ended) || /unclear whether it was executed/.test(ended.output);
  for (const { id, name = "" } of await world.living())
    tally.hold("known", ids.includes(id) || (byName && name !== "" && text.includes(name)), () =>
      told(`Instance ${id} (${name}) lives, and the state knows ${ids.join(", ") || "none"}.`, ended),
    );
  const crowd = tooMany(records, world.machines);
  tally.hold("single", crowd === undefined, () => told(`They lived at a time: ${crowd}`, ended));
  const changes = bystander.changes(await world.cloud.admin.state());
  tally.hold("untouched", changes === "", () => told(changes, ended));

  const leak = findSecret(world, ended.output, records);
  tally.hold("secrets", leak === undefined, () => `${leak}`);
  const bad = badWords(ended.output);
  tally.hold("teaches", bad === undefined, () => told(`It says ${JSON.stringify(bad)}.`, ended));
  if (ended.code !== 0 && !wasKilled(ended))
    tally.hold("teaches", sayNext(ended.output), () => told("It does not say what to do.", ended));

  if (command !== "down" && command !== "replace") checkRuns(world, ended);
  // Pulumi itself leaves the lock of a killed update to its user; `npm run up` and `down` see to it.
  if (wasKilled(ended) || /the stack is currently locked by/.test(ended.output)) return;
  const pending = state.checkpoint.latest?.pending_operations ?? [];
  const locks = lockFiles(project.folder, project.stack);
  tally.hold("state", pending.length === 0 && locks.length === 0, () =>
    told(`Left behind: ${pending.length} pending operations, locks ${locks.join(", ")}`, ended),
  );
}

/** Reads the state file. @throws Error where it is not valid. */
export function readState(world: World): StateFile {
  const state = JSON.parse(world.project.stateText()) as Partial<StateFile>;
  world.tally.hold("state", state.checkpoint !== undefined, () => "The state file has no checkpoint.");
  return state as StateFile;
}

/** Runs that went on before the command: the fault must not have started them again, nor stopped them. */
function checkRuns({ memory, tally }: World, ended: Ended): void {
  for (const before of memory.runs) {
    if (before.ended || memory.disturbed.has(before.instanceId)) continue;
    const after = memory.runsOf(before.instanceId).find((run) => run.experiment === before.experiment);
    if (after === undefined) continue;
    // What ended by itself may have been started again.
    const bySelf = memory.hasEnded(before) && memory.stopReason(before) === "";
    // The attempt that was being started had not counted itself yet.
    const begun = after.attempt === before.attempt && after.starts <= after.attempt;
    tally.hold("running", bySelf || begun || after.starts === before.starts, () =>
      told(`${before.experiment} had been started ${before.starts} times and now ${after.starts} times.`, ended),
    );
    tally.hold("running", memory.stopReason(before) === "", () =>
      told(`${before.experiment} was stopped: ${memory.stopReason(before)}.`, ended),
    );
  }
}

/** Instances that lived at a time, where they were more than the stack's machines or had one name. */
function tooMany(records: readonly InstanceRecord[], machines: number): string | undefined {
  const lives = records.map(({ id, name, launchedAt, terminatingAt, terminatedAt }) => {
    return { id, name, from: launchedAt, to: terminatingAt ?? terminatedAt ?? Number.POSITIVE_INFINITY };
  });
  for (const { from, name } of lives) {
    const then = lives.filter((life) => life.from <= from && from < life.to);
    const alike = then.filter((life) => life.name === name);
    const crowd = then.length > machines ? then : alike.length > 1 ? alike : [];
    if (crowd.length > 0) return crowd.map((life) => `${life.id} (${life.name}) until ${life.to}`).join(", ");
  }
  return undefined;
}

function lockFiles(folder: string, stack: string): string[] {
  const locks = join(folder, ".local", "state", ".pulumi", "locks", "organization", "lambda-train", stack);
  try {
    return readdirSync(locks).filter((name) => name.endsWith(".json"));
  } catch {
    return [];
  }
}

const told = (what: string, { code, output }: Ended): string => `${what}\nStatus ${code}:\n${output}`;
