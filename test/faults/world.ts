import { rmSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { readRunFile } from "../../emulator/run-file";
import type { Settings } from "../../emulator/settings";
import type { InstanceRecord } from "../../emulator/state/model";
import { family, processes, type SeenProcess } from "../security/processes";
import { TestCloud } from "../support/cloud";
import { writesElsewhere } from "../support/elsewhere";
import { type Ended, Project } from "../support/project";
import { configureTiny, type TinyChanges, useTinyWorkload } from "../support/tiny";
import { Bystander } from "./bystander";
import { checkAfter } from "./invariants/after";
import { Memory } from "./memory";
import type { Tally } from "./tally";

/** Which command of the user's, for the invariants. */
export type Command = "up" | "preview" | "refresh" | "replace" | "down";

/** The experiment of the tiny workload, unless a case names another. */
export const experiment = "tiny-v1";

/** The instance type that stacks of the cases rent, unless a case names another. */
export const instanceType = "cpu_4x_general";

/** Ends `pulumi up` or `pulumi destroy` by a signal. */
export interface Kill {
  /** Default `up`. */
  readonly command?: "up" | "destroy";
  /** Default SIGKILL. */
  readonly signal?: NodeJS.Signals;
  /** All that it started too, language host and providers, as when the machine loses power. Default: the CLI alone. */
  readonly family?: boolean;
}

/**
 * A user's project with an emulated account, in which somebody else has things too. After every command that is run
 * through it the invariants are checked.
 */
export class World {
  readonly memory: Memory;

  private constructor(
    readonly project: Project,
    private current: TestCloud,
    readonly bystander: Bystander,
    private readonly usual: { readonly settings: Settings; readonly priceCents: number },
    readonly tally: Tally,
  ) {
    this.memory = new Memory(this);
  }

  static async open(tally: Tally): Promise<World> {
    const project = new Project();
    try {
      useTinyWorkload(project);
      await project.init();
      const cloud = await TestCloud.start(project);
      // What has ended stays readable for a case's time, so that the account's history can be checked.
      await cloud.admin.patchSettings({ seconds: { terminated: 36_000 } });
      const bystander = await Bystander.settle(project, cloud);
      const offer = (await cloud.admin.inventory()).find(({ name }) => name === instanceType);
      const usual = { settings: await cloud.admin.settings(), priceCents: offer?.price_cents_per_hour ?? 0 };
      return new World(project, cloud, bystander, usual, tally);
    } catch (error) {
      await project.dispose();
      throw error;
    }
  }

  /** The emulated cloud, seen from behind. */
  get cloud(): TestCloud {
    return this.current;
  }

  /** Makes ready for a case: the tiny workload with changes (it trains until it is stopped, if they do not say otherwise). */
  async prepare(tiny: TinyChanges = {}): Promise<void> {
    await this.memory.begin();
    this.sizes = [sizeOf(tiny)];
    for (const path of ["results", "tiny", "tiny-data"])
      await rm(join(this.project.folder, path), { recursive: true, force: true });
    useTinyWorkload(this.project, this.withDefaults(tiny));
    this.tiny = tiny;
  }

  private tiny: TinyChanges = {};
  private sizes: number[] = [];

  /** How many machines the stack of the case may have: the most that it was configured for. */
  get machines(): number {
    return Math.max(1, ...this.sizes);
  }

  /** Whether the case trains a sweep: its runs are workers and trials. */
  get isSweep(): boolean {
    return this.tiny.sweep !== undefined;
  }

  /** Whether several faults strike together, so that a failed command may have known no more than the unique name. */
  combined = false;

  /** Writes experiment and stack file anew, with further changes over those of the case. */
  configure(changes: TinyChanges): void {
    const { overrides, stack, ...rest } = this.tiny;
    const all = {
      ...rest,
      ...changes,
      overrides: { ...overrides, ...changes.overrides },
      stack: { ...stack, ...changes.stack },
    };
    this.sizes.push(sizeOf(all));
    configureTiny(this.project, this.withDefaults(all));
  }

  private withDefaults(tiny: TinyChanges): TinyChanges {
    return { ...tiny, overrides: { steps: 100_000, ...writesElsewhere, ...tiny.overrides } };
  }

  /** Takes every fault away; settings, capacity, prices, workload and configuration are as at the beginning of the case. */
  async heal(): Promise<void> {
    const { admin } = this.cloud;
    await admin.removeAllFaults();
    await admin.patchSettings(this.usual.settings);
    await admin.setPrice(instanceType, this.usual.priceCents);
    await admin.setCapacity({ instanceType: "*", region: "*", free: null, listed: "auto" });
    rmSync(join(this.project.folder, "tiny"), { recursive: true, force: true });
    useTinyWorkload(this.project, this.withDefaults(this.tiny));
  }

  /** `npm run up`. */
  up(...args: string[]): Promise<Ended> {
    return this.watched("up", () => this.project.run("up", args));
  }

  /** `npm run up -- --preview-only`. */
  preview(): Promise<Ended> {
    return this.watched("preview", () => this.project.run("up", ["--preview-only"]));
  }

  /** `pulumi refresh`. */
  refresh(): Promise<Ended> {
    return this.watched("refresh", () => this.project.pulumi(["refresh", "--yes"]));
  }

  /** `npm run down`; the emulated cloud stays. */
  down(...args: string[]): Promise<Ended> {
    return this.watched("down", () => this.project.run("down", ["--keep-cloud", ...args]));
  }

  /** `pulumi up` that replaces the instance, as docs/troubleshooting.md advises for a broken one. */
  replaceInstance(): Promise<Ended> {
    const args = ["up", "--yes", "--skip-preview", "--replace", "**instance-vm"];
    return this.watched("replace", () => this.project.pulumi(args));
  }

  /** A command that must end with 0. Returns what it printed. */
  async fine(command: Promise<Ended>): Promise<string> {
    const { code, output } = await command;
    if (code !== 0) throw new Error(`A command failed with status ${code} that should not:\n${output}`);
    return output;
  }

  /** Runs a command while something else happens; `meanwhile` gets what was printed so far, and the process's id. */
  async during(
    command: "up" | "down",
    meanwhile: (output: () => string, pid: number) => Promise<unknown>,
    ...args: string[]
  ): Promise<Ended> {
    const all = command === "down" ? ["--keep-cloud", ...args] : args;
    return this.watched(command, async () => {
      const script = join("dist", "cli", `${command}.js`);
      const { child, ended } = this.project.start(process.execPath, [script, ...all]);
      let output = "";
      for (const stream of [child.stdout, child.stderr])
        stream?.on("data", (chunk: Buffer) => {
          output += chunk.toString();
        });
      await meanwhile(() => output, child.pid ?? 0);
      return ended;
    });
  }

  /** Starts `pulumi up` or `pulumi destroy` and kills it as soon as something is so. */
  killWhen(so: (output: string) => Promise<boolean> | boolean, kill: Kill = {}): Promise<Ended> {
    const deadline = Date.now() + 120_000;
    return this.killed(kill, async (output, isOver) => {
      while (!(await so(output()))) {
        if (isOver()) throw new Error(`It ended before it came to that:\n${output()}`);
        if (Date.now() > deadline) throw new Error(`It never came to that:\n${output()}`);
        await sleep(50);
      }
    });
  }

  /** Starts `pulumi up` or `pulumi destroy` and kills it after some time, unless it has ended by then. */
  killAfter(milliseconds: number, kill: Kill = {}): Promise<Ended> {
    const end = Date.now() + milliseconds;
    return this.killed(kill, async (_output, isOver) => {
      while (Date.now() < end && !isOver()) await sleep(20);
    });
  }

  private async killed(
    { command = "up", signal = "SIGKILL", family: whole = false }: Kill,
    wait: (output: () => string, isOver: () => boolean) => Promise<void>,
  ): Promise<Ended> {
    return this.watched(command === "up" ? "up" : "down", async () => {
      const args = [command, "--yes", "--skip-preview", "--non-interactive", "--color=never"];
      if (command === "destroy") for (const { id } of await this.living()) this.memory.disturbed.add(id);
      const { child, ended } = this.project.start("pulumi", args);
      let output = "";
      child.stdout?.on("data", (chunk: Buffer) => {
        output += chunk.toString();
      });
      await wait(
        () => output,
        () => child.exitCode !== null,
      );
      const pids = child.pid === undefined ? [] : whole ? family(processes(), child.pid) : [child.pid];
      if (child.exitCode === null) for (const pid of pids) end(pid, signal);
      return ended;
    });
  }

  /** Waits until something is so, by default for as long as a stage may take to come on a machine that is busy. */
  async until(so: () => Promise<boolean> | boolean, seconds = 240): Promise<void> {
    const deadline = Date.now() + seconds * 1000;
    while (!(await so())) {
      if (Date.now() > deadline) throw new Error(`It never came to that in ${seconds} s: ${so}`);
      await sleep(100);
    }
  }

  /** Runs a command on the stack's instance, as `npm run ssh -- <command>` does. Returns what it printed. */
  async onInstance(command: string): Promise<string> {
    return (await this.project.run("ssh", [command])).output;
  }

  /** Waits until the run has written a checkpoint; of a fleet, each machine's. */
  checkpoint(): Promise<void> {
    return this.until(async () => {
      const living = await this.living();
      return living.length > 0 && living.every(({ id }) => this.memory.hasCheckpoint(id, experiment));
    });
  }

  /** The stack's instances that live, by the account. */
  async living(): Promise<InstanceRecord[]> {
    const { instances } = await this.cloud.admin.state();
    const ended = ["terminated", "terminating", "preempted"];
    return instances.filter(({ id, status }) => id !== this.bystander.instanceId && !ended.includes(status));
  }

  /** Id of the stack's one living instance. */
  async instanceId(): Promise<string> {
    const living = await this.living();
    if (living.length !== 1 || living[0] === undefined)
      throw new Error(`There are ${living.length} instances of the stack.`);
    return living[0].id;
  }

  /** Status of the run as `npm run status -- --json` gives it, with the instance's. */
  async status(): Promise<{ instance: { status: string } | null; run: { state: string; attempt?: number } }> {
    return JSON.parse((await this.project.run("status", ["--json"])).output) as Awaited<ReturnType<World["status"]>>;
  }

  /** Restarts an instance behind its owner's back. */
  async restart(id: string): Promise<void> {
    this.memory.disturbed.add(id);
    await this.cloud.admin.restart(id);
  }

  /** Starts the emulated cloud again, after it was stopped or killed. */
  async restartCloud(): Promise<void> {
    this.current = await TestCloud.start(this.project);
  }

  /** The emulator's process id. */
  get cloudPid(): number | undefined {
    return readRunFile(this.project.env.LAMBDA_TRAIN_LOCAL ?? "")?.pid;
  }

  /** Ends everything, and removes the folder. */
  async dispose(): Promise<void> {
    await this.project.dispose();
    for (const { pid } of processesOf(this.project)) end(pid, "SIGKILL");
  }

  private async watched(command: Command, run: () => Promise<Ended>): Promise<Ended> {
    await this.memory.look();
    const ended = await run();
    await checkAfter(this, command, ended);
    return ended;
  }
}

/** How many machines a stack of the tiny workload has. */
function sizeOf({ train, stack }: TinyChanges): number {
  const { nodes = 1 } = (train ?? {}) as { readonly nodes?: number };
  return Number(stack?.instances ?? nodes);
}

/** Processes that carry the project's environment. */
export function processesOf({ env }: Project): SeenProcess[] {
  const mark = `LAMBDA_TRAIN_LOCAL=${env.LAMBDA_TRAIN_LOCAL}`;
  return processes().filter(({ environment }) => environment.split("\0").includes(mark));
}

function end(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended by itself.
  }
}
