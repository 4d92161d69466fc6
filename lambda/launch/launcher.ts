import { join } from "node:path";
import { cacheFolder } from "../../local/paths";
import type { LaunchRequest } from "../api/client";
import type { Cloud } from "../api/connect";
import { isKind, LambdaApiError } from "../api/errors";
import { type Instance, isEnding } from "../api/schemas";
import { waitFor } from "../api/waiting";
import { readInstance } from "../life/read";
import { comesThroughWithin } from "../life/unclear";
import { shownWithinSeconds } from "../life/young";
import { LaunchJournal } from "./journal";

/** The cloud's seconds for a few looks: one answer that does not know an instance proves nothing. */
const severalLooksSeconds = 8;

/** How often a launch that was never executed after all is sent again. */
const launchesAfterUnclear = 2;

/** For whom a launch is made. */
export interface LaunchContext {
  /** Keeps one line for people. */
  progress(message: string): void;
  /** Reports what is happening now: a phase and its details. */
  status(phase: string, detail?: string): void;
  /** Whether whoever asked is still there: for nobody nothing is launched. */
  engineAlive(): Promise<boolean>;
  /** Ends a wait for capacity, or for a launch's turn. */
  readonly interrupted: AbortSignal;
}

/** What a launch under a unique name came to. */
export interface Launched {
  readonly instance: Pick<Instance, "id"> & Partial<Instance>;
  /** Found under the name rather than launched now. */
  readonly adopted: boolean;
}

/**
 * Launches at most one instance under a name that nobody else uses, whatever happens to answers and processes: under a
 * lock of the name, it first looks for what an earlier launch left, and an unclear launch is looked for, not repeated.
 */
export class Launcher {
  private readonly journal: LaunchJournal;

  constructor(
    private readonly cloud: Cloud,
    private readonly name: string,
    private readonly context: Pick<LaunchContext, "engineAlive" | "progress" | "interrupted">,
    folder?: string,
  ) {
    this.journal = journalOf(cloud, name, folder);
  }

  /** Everything that earlier launches left under the name. Waits where the outcome of one may still show. */
  findAll(): Promise<Instance[]> {
    return this.journal.exclusively(() => this.findNow(), this.tellWait);
  }

  /** The one instance that an earlier launch left under the name, if any. Throws where there are several. */
  async find(): Promise<Instance | undefined> {
    return onlyOne(this.name, await this.findAll());
  }

  /** Launches, unless something is found under the name. Kind `capacity` and all definite failures pass through. */
  launch(request: Omit<LaunchRequest, "name">): Promise<Launched> {
    return this.journal.exclusively(async (held) => {
      const existing = onlyOne(this.name, await this.findNow());
      if (existing !== undefined) return { instance: existing, adopted: true };
      return this.launchNow({ ...request, name: this.name }, held);
    }, this.tellWait);
  }

  /** Forgets launches under the name: they are in the state, or gone. */
  settle(): void {
    this.journal.clear();
  }

  /** Forgets the launch of an instance that has ended. */
  forget(id: string): void {
    if (this.journal.read()?.instanceId === id) this.journal.clear();
  }

  private async launchNow(request: LaunchRequest, held: () => boolean): Promise<Launched> {
    const { client, clock } = this.cloud;
    const beforeSend = async (): Promise<void> => {
      if (!(await this.context.engineAlive())) {
        throw new Error(`The engine that asked for ${this.name} is gone: nothing was launched. Run \`up\` again.`);
      }
      if (!held()) throw new Error(`Another process took over the launch of ${this.name}: nothing was launched here.`);
      this.journal.write({ sentAt: clock.now() });
    };
    for (let left = launchesAfterUnclear; ; left -= 1) {
      try {
        const id = await client.launch(request, { beforeSend, signal: this.context.interrupted });
        this.journal.write({ sentAt: clock.now(), instanceId: id });
        return { instance: { id }, adopted: false };
      } catch (error) {
        if (!isKind(error, "unclear")) {
          if (error instanceof LambdaApiError) this.journal.clear();
          throw error;
        }
        this.context.progress(`${this.name}: the answer to the launch was lost; looking for the instance by its name`);
        // The call may be executed late: the time to look begins when its answer was given up.
        this.journal.write({ sentAt: clock.now() });
        const found = onlyOne(this.name, await this.findNow());
        if (found !== undefined) return { instance: found, adopted: true };
        this.journal.clear();
        if (left === 0) throw error;
      }
    }
  }

  /** By the name in the list; by the id in the journal where the list does not show it yet. */
  private async findNow(): Promise<Instance[]> {
    const { clock } = this.cloud;
    const left = this.journal.read();
    const age = left === undefined ? 0 : Math.abs(clock.now() - left.sentAt) / 1000;
    const look = async (): Promise<Instance[] | undefined> => {
      const named = await namedInstances(this.cloud, this.name);
      return named.length > 0 ? named : this.journalled(left?.instanceId);
    };
    if (left === undefined) return (await look()) ?? [];
    // An answered launch may not show yet: to take that for an end would launch a second one.
    const wait = left.instanceId === undefined ? comesThroughWithin(this.cloud) : shownWithinSeconds(this.cloud);
    const timeoutSeconds = Math.max(left.instanceId === undefined ? 0 : severalLooksSeconds, wait - age);
    return (await waitFor(look, { clock, timeoutSeconds, firstPauseSeconds: 2, longestPauseSeconds: 5 })) ?? [];
  }

  /** What was launched, or nothing where it has ended; undefined where the API does not show it. */
  private async journalled(id: string | undefined): Promise<Instance[] | undefined> {
    const instance = id === undefined ? undefined : await readInstance(this.cloud, id);
    if (instance === undefined) return undefined;
    return isEnding(instance.status) ? [] : [instance];
  }

  private readonly tellWait = (): void =>
    this.context.progress(`${this.name}: waiting for another process that is launching under this name`);
}

/** Whether this machine sent a launch under a name so shortly ago that what it made may not show yet. */
export function mayStillShow(cloud: Cloud, name: string): boolean {
  const left = journalOf(cloud, name).read();
  if (left === undefined) return false;
  const within = left.instanceId === undefined ? comesThroughWithin(cloud) : shownWithinSeconds(cloud);
  return Math.abs(cloud.clock.now() - left.sentAt) < within * 1000;
}

function journalOf({ endpoint }: Cloud, name: string, folder = join(cacheFolder(), "launch")): LaunchJournal {
  return new LaunchJournal(folder, `${endpoint.url} ${name}`);
}

/** Instances that carry exactly this name and are not on their way out. */
async function namedInstances(cloud: Cloud, name: string): Promise<Instance[]> {
  const instances = await cloud.client.listInstances();
  return instances.filter((instance) => instance.name === name && !isEnding(instance.status));
}

/**
 * Nothing here tells which of several instances of one name holds something of value. So the stack chooses none and
 * terminates none.
 */
function onlyOne(name: string, found: readonly Instance[]): Instance | undefined {
  if (found.length <= 1) return found[0];
  const list = found
    .map((each) => `${each.id} (${each.status}, ${each.instanceType?.name} in ${each.region})`)
    .join(", ");
  throw new Error(
    `${found.length} instances are named ${name}, all of them billed: ${list}. Terminate all but one at ` +
      "https://cloud.lambda.ai and run `up` again, which adopts the remaining one; `destroy` terminates all of them.",
  );
}
