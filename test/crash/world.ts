import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { CloudState } from "../../emulator/state/model";
import { restartVariable } from "../../plan/standing";
import { sourceOf } from "../../remote/transfer/results-source";
import { Bystander } from "../faults/bystander";
import { processes, type SeenProcess } from "../security/processes";
import { TestCloud } from "../support/cloud";
import { writesElsewhere, writtenElsewhere } from "../support/elsewhere";
import { Project, type StateResource } from "../support/project";
import { configureTiny, useTinyWorkload } from "../support/tiny";
import { Progress, strike, type Usual } from "./cut";
import { type Cut, firstWanted, type LostAnswer, type Wanted } from "./operations";

/** How the command ended. */
export interface Performed {
  readonly code: number;
  readonly output: string;
  readonly seconds: number;
  /** What the engine was doing when it was cut; undefined where it ended by itself, before the moment came. */
  readonly cutAt?: string;
}

/** Of the state that the agent keeps of a run. */
interface SeenState {
  readonly attempt?: number;
  readonly attempts?: Readonly<Record<string, { hash?: string; stands?: string; firstStep?: string; exit?: number }>>;
}

/** A training run as its instance's disk has it. */
export interface SeenRun {
  readonly instanceId: string;
  readonly experiment: string;
  /** Where results of its configuration come from, as their record tells it. */
  readonly source: string;
  /** How often it was started. */
  readonly attempts: number;
  readonly hasFirstStep: boolean;
  /** Its last attempt came to its end: from a checkpoint of the last step on, without a step of its own. */
  readonly isFinished: boolean;
  /** Step of the last checkpoint; 0 before the first. */
  readonly step: number;
  /** Steps of the checkpoints that it wrote outside of its outputs, by path below its results at home. */
  readonly elsewhere: Readonly<Record<string, number>>;
}

/** An instance of the account that is rented. */
export interface Rented {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  readonly instanceType: string;
  readonly region: string;
}

/** All that can be seen from outside. */
export interface Sight {
  /** Of the stack: everything but what another in the account has. */
  readonly instances: readonly Rented[];
  readonly sshKeys: readonly string[];
  readonly rulesets: readonly string[];
  /** What happened to what another has in the account; empty where nothing did. */
  readonly others: string;
  /** The instances that the state holds. */
  readonly knownIds: readonly string[];
  /** Unique names that the state holds. */
  readonly claims: readonly string[];
  readonly resources: number;
  readonly runs: readonly SeenRun[];
}

/** Seconds after which an operation counts as hanging. */
const longest = 300;

/** What operations take on a machine that has nothing else to do, where all resources are there. */
const quick = {
  up: { milliseconds: 3500, events: 2 },
  refresh: { milliseconds: 2000, events: 27 },
  down: { milliseconds: 5000, events: 54 },
};

/** What an `up` takes beyond that where nothing is there, and how many resources it makes. */
const making = { milliseconds: 5500, events: 54, resources: 27 };

/** A project with its emulated cloud, in whose account somebody else has an instance too. Serves many sequences. */
export class World {
  /** Learnt from operations that were not cut and found all resources there; of an `up` by what it found changed. */
  private readonly usual: Record<string, Usual> = {};
  private readonly started = new Map<number, SeenProcess>();

  private constructor(
    readonly project: Project,
    readonly cloud: TestCloud,
    private readonly bystander: Bystander,
  ) {}

  static async create(): Promise<World> {
    const project = new Project();
    try {
      // Journals of launches and the pace of calls are this world's own.
      project.env.LAMBDA_TRAIN_CACHE = join(project.folder, ".cache");
      useTinyWorkload(project);
      // What an `up` finds changed ends the run, as the model has it: else it would wait for a run that trains for hours.
      project.env[restartVariable] = "yes";
      await project.init();
      const cloud = await TestCloud.start(project);
      await cloud.admin.patchSettings({ timeScale: 240, seconds: { bootCpu: 60, bootOneGpu: 60, terminating: 20 } });
      for (const instanceType of ["cpu_4x_general", "gpu_1x_a10"]) {
        await cloud.admin.setCapacity({ instanceType, region: "*", free: null, listed: true });
      }
      const world = new World(project, cloud, await Bystander.settle(project, cloud));
      world.configure(firstWanted);
      return world;
    } catch (error) {
      await project.dispose();
      throw error;
    }
  }

  /** Writes the files of the user: experiment, stack, code. */
  configure({ experiment, instanceType, region, pace, code }: Wanted): void {
    this.project.write("tiny/version.txt", `${code}\n`);
    configureTiny(this.project, {
      experiment,
      overrides: {
        ...writesElsewhere,
        steps: experiment === "short" ? 4 : 100_000,
        seconds_per_step: experiment === "short" ? 0.01 * pace : pace,
      },
      gate: { modules: [] },
      environment: { manager: "none" },
      train: { firstStepTimeoutMinutes: 5 },
      stack: { instanceTypes: [instanceType], regions: [region] },
    });
  }

  /**
   * `pulumi up` by the CLI or the operator command.
   * @param options `changes`: names of what it finds changed
   */
  up(options: {
    direct: boolean;
    refresh: boolean;
    changes: string[];
    cut?: Cut;
    lost?: LostAnswer;
  }): Promise<Performed> {
    const refresh = options.refresh ? ["--refresh"] : [];
    const words = options.direct ? ["pulumi", "up", "--yes", "--skip-preview", "--non-interactive"] : operator("up");
    return this.perform(["up", ...options.changes].join(" "), [...words, ...refresh], options);
  }

  refresh(cut?: Cut): Promise<Performed> {
    return this.perform("refresh", ["pulumi", "refresh", "--yes", "--skip-preview", "--non-interactive"], { cut });
  }

  down(options: { direct: boolean; cut?: Cut; lost?: LostAnswer }): Promise<Performed> {
    const words = options.direct
      ? ["pulumi", "destroy", "--yes", "--skip-preview", "--non-interactive"]
      : operator("down", "--keep-cloud");
    return this.perform("down", words, options);
  }

  /** Looks at everything. */
  async look(): Promise<Sight> {
    const state = await this.cloud.admin.state();
    const { instances, sshKeys, rulesets } = oursOf(state);
    const living = instances.filter(({ status }) => !["terminated", "terminating"].includes(status));
    const resources = this.stateResources();
    const named = resources.filter(({ type }) => /:(Claim|LaunchClaim)$/.test(type));
    return {
      instances: living.map(({ id, name = "", status, instanceType, region }) => ({
        ...{ id, name, status, instanceType, region },
      })),
      sshKeys: sshKeys.map(({ name }) => name),
      rulesets: rulesets.map(({ name }) => name),
      others: this.bystander.changes(state),
      knownIds: resources.filter(({ type }) => type.endsWith("lambda-train:Instance")).flatMap(({ id }) => id ?? []),
      claims: [...new Set(named.map(({ inputs }) => String(inputs?.name)))],
      resources: resources.length,
      runs: living.flatMap(({ id }) => this.runsOn(id)),
    };
  }

  /** Waits until nothing that a killed command left behind can do anything any more. Names what does not end. */
  async quiet(seconds: number): Promise<string[]> {
    const deadline = Date.now() + seconds * 1000;
    // The vendor's language host looks for its CLI every five minutes only.
    for (const { pid, argv } of this.leftBehind()) if (argv.includes("pulumi-language-nodejs")) end(pid);
    for (;;) {
      const left = this.leftBehind();
      if (left.length === 0 || Date.now() > deadline) return left.map(({ argv }) => argv.replaceAll("\0", " "));
      await sleep(250);
    }
  }

  /** Ends what commands that were killed left behind, and everything else of this world. */
  async dispose(): Promise<void> {
    for (const { pid } of this.leftBehind()) end(pid);
    await this.project.dispose();
  }

  private async perform(
    what: string,
    [program = "", ...args]: readonly string[],
    { cut, lost }: { cut?: Cut; lost?: LostAnswer },
  ): Promise<Performed> {
    if (lost !== undefined) {
      await this.cloud.admin.addApiFault({ match: { operation: lost }, times: 1, action: { resetAfter: true } });
    }
    const began = Date.now();
    const there = this.stateResources().length;
    const running = this.project.start(program, args);
    const progress = new Progress(running.child);
    const hangs = setTimeout(() => {
      running.child.kill("SIGKILL");
    }, longest * 1000);
    const usual = this.usualOf(what, there);
    const struck = cut === undefined ? undefined : await strike(cut, running, progress, this.cloud, usual);
    for (const each of struck?.left ?? []) this.started.set(each.pid, each);
    const { code, output } = await running.ended;
    clearTimeout(hangs);
    await this.cloud.admin.removeAllFaults();
    const seconds = (Date.now() - began) / 1000;
    if (seconds >= longest) throw new Error(`It did not end within ${longest} s:\n${output}`);
    if (struck === undefined && code === 0 && there >= making.resources) {
      this.usual[what] = { milliseconds: (usual.milliseconds + seconds * 1000) / 2, events: progress.events };
    }
    return { code, output, seconds, cutAt: struck?.phase };
  }

  /** What the operation will take by what is there: an `up` has to make what the state lacks, a destroy has that less. */
  private usualOf(what: string, there: number): Usual {
    const kind = what.split(" ")[0] as keyof typeof quick;
    const { milliseconds, events } = this.usual[what] ?? quick[kind];
    const share = Math.min(1, there / making.resources);
    if (kind !== "up") return { milliseconds: milliseconds * share, events: events * share };
    const slower = (this.usual.up ?? quick.up).milliseconds / quick.up.milliseconds;
    return {
      milliseconds: milliseconds + making.milliseconds * slower * (1 - share),
      events: events + making.events * (1 - share),
    };
  }

  /** Processes that were there when a command was cut, and still are. */
  private leftBehind(): SeenProcess[] {
    if (this.started.size === 0) return [];
    const now = new Map(processes().map((each) => [each.pid, each.argv]));
    for (const [pid, { argv }] of this.started) if (now.get(pid) !== argv || argv === "") this.started.delete(pid);
    return [...this.started.values()];
  }

  private stateResources(): StateResource[] {
    const text = this.project.stateText();
    const { checkpoint } = JSON.parse(text) as { checkpoint: { latest?: { resources?: StateResource[] } } };
    return checkpoint.latest?.resources ?? [];
  }

  /** The runs on an instance, straight from its disk. */
  private runsOn(instanceId: string): SeenRun[] {
    const home = join(this.project.folder, ".local/cloud/instances", instanceId, "root/home/ubuntu");
    const folder = join(home, ".lambda-train/runs");
    if (!existsSync(folder)) return [];
    return readdirSync(folder).flatMap((experiment) => {
      const state = JSON.parse(textOf(join(folder, experiment, "state.json")) || "{}") as SeenState;
      const { attempt: attempts = 0 } = state;
      const { hash, stands, firstStep, exit } = state.attempts?.[attempts] ?? {};
      if (hash === undefined) return [];
      const { source } = sourceOf(instanceId, { experiment, hash, stands, attempt: attempts });
      const hasFirstStep = firstStep !== undefined;
      const isFinished = exit === 0;
      const step = stepOf(join(home, "tiny/outputs", experiment));
      const elsewhere = writtenElsewhere(home, experiment);
      return [{ instanceId, experiment, source, attempts, hasFirstStep, isFinished, step, elsewhere }];
    });
  }
}

/** All that is not the bystander's. */
function oursOf(state: Pick<CloudState, "instances" | "sshKeys" | "rulesets">): typeof state {
  const ours = <T extends { name?: string }>(all: readonly T[]): T[] => all.filter(({ name }) => name !== "bystander");
  return { instances: ours(state.instances), sshKeys: ours(state.sshKeys), rulesets: ours(state.rulesets) };
}

/** Step of the last checkpoint in an experiment's outputs, 0 where there is none. */
export function stepOf(outputs: string): number {
  const text = textOf(join(outputs, "checkpoints", "last.json"));
  return text === "" ? 0 : (JSON.parse(text) as { step: number }).step;
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It ended just now.
  }
}

const operator = (name: string, ...args: string[]): string[] => [
  process.execPath,
  join("dist", "cli", `${name}.js`),
  ...args,
];
