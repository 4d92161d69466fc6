import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { InstanceRecord } from "../../emulator/state/model";
import { writtenElsewhere } from "../support/elsewhere";
import type { World } from "./world";

/** What a run was like at a look. */
export interface RunSeen {
  readonly instanceId: string;
  readonly experiment: string;
  /** Number of the attempt. */
  readonly attempt: number;
  /** Whether that attempt had an exit status. */
  readonly ended: boolean;
  /** How often the workload was started on this instance in all, by its own count. */
  readonly starts: number;
}

/** What a run had written at a look. */
export interface WrittenSeen {
  readonly experiment: string;
  /** Where its results go, below those of the stack. */
  readonly folder: string;
  /** Checkpoints outside of its outputs, with their steps. */
  readonly elsewhere: Readonly<Record<string, number>>;
}

/** Of the agent's state.json, what is compared. */
interface KnownRun {
  readonly attempt?: number;
  readonly attempts?: Readonly<Record<number, { outputPath?: string; stopReason?: string; exit?: number }>>;
}

/** What the account and the instances were like so far in a case. */
export class Memory {
  /** When the case began, in milliseconds since the epoch. */
  begun = Date.now();
  /** All instances of the stack in this case, as last seen. */
  readonly seen = new Map<string, InstanceRecord>();
  /** Runs at the last look. */
  runs: readonly RunSeen[] = [];
  /** Runs that had written something at the last look. */
  written: readonly WrittenSeen[] = [];
  /**
   * Instances on which a run may end, or be started again, by what was done before: they were restarted, or a destroy
   * that had begun to stop the run was killed.
   */
  readonly disturbed = new Set<string>();

  constructor(private readonly world: World) {}

  /** Forgets the case before. */
  async begin(): Promise<void> {
    const { instances } = await this.world.cloud.admin.state();
    this.before = new Set(instances.map(({ id }) => id));
    this.begun = Date.now();
    this.seen.clear();
    this.disturbed.clear();
    this.runs = [];
    this.written = [];
  }

  private before = new Set<string>();

  /** Looks at what there is before a command, for comparison after it. */
  async look(): Promise<void> {
    await this.takeIn();
    const living = await this.world.living();
    this.runs = living.flatMap(({ id }) => this.runsOf(id));
    this.written = living.flatMap(({ id }) => {
      const runs = list(join(this.homeOf(id), ".lambda-train", "runs"));
      return runs
        .filter((name) => hasFiles(this.outputsOf(id, name)))
        .map((experiment) => ({
          experiment,
          folder: join(folderOf(this.world, this.placeOf(id), experiment), experiment),
          elsewhere: writtenElsewhere(this.homeOf(id), experiment),
        }));
    });
  }

  /** Place of an instance's machine in its fleet, from 0. */
  private placeOf(id: string): number {
    const { me = "" } = JSON.parse(read(join(this.homeOf(id), fleetFile)) || "{}") as { me?: string };
    return Number(/-(\d+)$/.exec(me)?.[1] ?? 1) - 1;
  }

  /** Takes in what became of the stack's instances. */
  async takeIn(): Promise<readonly InstanceRecord[]> {
    const { instances } = await this.world.cloud.admin.state();
    for (const record of instances)
      if (!this.before.has(record.id) && record.id !== this.world.bystander.instanceId)
        this.seen.set(record.id, record);
    // What the account has forgotten has ended.
    for (const [id, record] of this.seen)
      if (!instances.some((one) => one.id === id)) this.seen.set(id, { terminatedAt: Date.now(), ...record });
    return [...this.seen.values()];
  }

  /** Whether there is a file in the home of an instance, with a text in it. */
  inHome(id: string, path: string, text = ""): boolean {
    const file = join(this.homeOf(id), path);
    return existsSync(file) && (text === "" || readFileSync(file, "utf8").includes(text));
  }

  /** Whether the run of an experiment, or a trial of it, has written a checkpoint on an instance. */
  hasCheckpoint(id: string, experiment: string): boolean {
    const outputs = join(this.homeOf(id), "tiny", "outputs");
    const ours = (name: string): boolean => name === experiment || (name.startsWith(experiment) && isTrial(name));
    return list(outputs).some((name) => ours(name) && existsSync(join(outputs, name, "checkpoints", "last.json")));
  }

  /** Home of an instance, as this machine sees it. Empty where the instance's home is in memory. */
  homeOf(id: string): string {
    return join(this.world.project.folder, ".local", "cloud", "instances", id, "root", "home", "ubuntu");
  }

  /** Folder into which an experiment writes: where it was seen to, or else its own. */
  private outputsOf(id: string, name: string): string {
    const home = this.homeOf(id);
    const { attempt = 0, attempts = {} } = this.known(id, name);
    const found = attempts[attempt]?.outputPath;
    return found?.replace(/^\/home\/ubuntu/, home) ?? join(home, "tiny", "outputs", name);
  }

  runsOf(instanceId: string): RunSeen[] {
    const home = this.homeOf(instanceId);
    const runs = join(home, ".lambda-train", "runs");
    const starts = read(join(home, "starts")).split("\n").slice(0, -1);
    return list(runs).flatMap((experiment) => {
      const { attempt = 0, attempts = {} } = this.known(instanceId, experiment);
      if (attempt === 0) return [];
      const ended = attempts[attempt]?.exit !== undefined;
      return [{ instanceId, experiment, attempt, ended, starts: this.startsOf(home, experiment, attempt, starts) }];
    });
  }

  /** Of several runs on an instance each counts its own. A sweep's worker is no workload and counts none. */
  private startsOf(home: string, experiment: string, attempt: number, starts: readonly string[]): number {
    if (!this.world.isSweep) return starts.length;
    const started = read(join(home, "started")).split("\n");
    return isTrial(experiment) ? started.filter((name) => name === experiment).length : attempt;
  }

  /** Why an attempt was told to stop; empty where it was not. */
  stopReason({ instanceId, experiment, attempt }: RunSeen): string {
    return this.known(instanceId, experiment).attempts?.[attempt]?.stopReason ?? "";
  }

  /** Whether an attempt has ended by now. */
  hasEnded({ instanceId, experiment, attempt }: RunSeen): boolean {
    return this.known(instanceId, experiment).attempts?.[attempt]?.exit !== undefined;
  }

  /** What the agent has written down of a run. */
  private known(instanceId: string, experiment: string): KnownRun {
    const path = join(this.homeOf(instanceId), ".lambda-train", "runs", experiment, "state.json");
    return JSON.parse(read(path) || "{}") as KnownRun;
  }
}

/** What a machine of a fleet knows of itself and the others, below its home. */
const fleetFile = ".lambda-train/fleet/fleet.json";

const isTrial = (experiment: string): boolean => /-t\d+$/.test(experiment);

/** Folder of the results of a machine's run, below those of the stack: other ranks and workers have one of their own. */
function folderOf({ isSweep }: World, place: number, experiment: string): string {
  if (place === 0 || isTrial(experiment)) return "";
  return isSweep ? `worker.${place + 1}` : `rank.${place}`;
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function hasFiles(folder: string): boolean {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true }).some((entry) => entry.isFile());
  } catch {
    return false;
  }
}
