import { existsSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { family, processes } from "../../security/processes";
import { missingAtHome } from "../../support/elsewhere";
import type { WrittenSeen } from "../memory";
import { processesOf, type World } from "../world";
import { readState } from "./after";

/** Checks what must hold after a `down` that ended well. `written`: what runs had written. */
export async function checkEmpty(world: World, written: readonly WrittenSeen[]): Promise<void> {
  const { tally, cloud, bystander, project } = world;
  const { instances, sshKeys, rulesets, fileSystems } = await cloud.admin.state();
  const living = instances.filter(({ status }) => !["terminated", "terminating", "preempted"].includes(status));
  const left = [...living, ...sshKeys, ...rulesets, ...fileSystems].filter(({ name }) => name !== "bystander");
  tally.hold("empty", left.length === 0, () => `Left in the account: ${JSON.stringify(left)}`);
  const { resources = [] } = readState(world).checkpoint.latest ?? {};
  tally.hold("empty", resources.length === 0, () => `Left in the state: ${JSON.stringify(resources)}`);

  const { entries } = await cloud.admin.ledger();
  const open = entries.filter(({ instanceId, to }) => to === undefined && instanceId !== bystander.instanceId);
  tally.hold("billed", open.length === 0, () => `Still billed: ${JSON.stringify(open)}`);

  for (const { experiment, folder: own, elsewhere } of written) {
    const folder = join("results", project.stack, own);
    const home = existsSync(join(project.folder, folder, "manifest.json"));
    const { code, output } = await project.run("results", ["--verify", folder]);
    tally.hold("results", home && code === 0, () => `${folder}: status ${code}\n${output}`);
    const missing = missingAtHome(join(project.folder, folder), experiment, elsewhere);
    tally.hold("beside", missing.length === 0, () => `${folder}:\n${missing.join("\n")}`);
  }
  await checkProcesses(world);
}

/**
 * Processes end a moment after the command that they served. Pulumi's language host alone looks only every five minutes
 * for a CLI that was killed.
 */
async function checkProcesses({ tally, project, cloudPid }: World): Promise<void> {
  const ours = (): string[] => {
    const cloud = cloudPid === undefined ? new Set<number>() : family(processes(), cloudPid);
    return processesOf(project)
      .filter(({ pid, argv }) => !cloud.has(pid) && !/pulumi-language-nodejs/.test(argv))
      .map(({ pid, argv }) => `${pid} ${argv.replaceAll("\0", " ")}`);
  };
  const deadline = Date.now() + 20_000;
  let left = ours();
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(250);
    left = ours();
  }
  tally.hold("ended", left.length === 0, () => `Left running: ${left.join("\n")}`);
}
