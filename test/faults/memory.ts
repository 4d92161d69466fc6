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
  /** Experiments whose run had written something at the last look. */
  written: readonly string[] = [];
  /** Experiment → checkpoints that it had written outside of its outputs at the last look, with their steps. */
  elsewhere: ReadonlyMap<string, Readonly<Record<string, number>>> = new Map();
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
    this.elsewhere = new Map();
  }

  private before = new Set<string>();

  /** Looks at what there is before a command, for comparison after it. */
  async look(): Promise<void> {
    await this.takeIn();
    const living = await this.world.living();
    this.runs = living.flatMap(({ id }) => this.runsOf(id));
    this.written = living.flatMap(({ id }) => {
      const runs = list(join(this.homeOf(id), ".lambda-train", "runs"));
      return runs.filter((name) => hasFiles(this.outputsOf(id, name)));
    });
    const homes = living.map(({ id }) => this.homeOf(id));
    this.elsewhere = new Map(
      homes.flatMap((home) => this.written.map((name) => [name, writtenElsewhere(home, name)] as const)),
    );
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
    const starts = read(join(home, "starts")).split("\n").length - 1;
    return list(runs).flatMap((experiment) => {
      const { attempt = 0, attempts = {} } = this.known(instanceId, experiment);
      if (attempt === 0) return [];
      return [{ instanceId, experiment, attempt, ended: attempts[attempt]?.exit !== undefined, starts }];
    });
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
