import type { Cloud } from "../api/connect";
import { isKind } from "../api/errors";
import { type Instance, isEnding } from "../api/schemas";
import { launchWhereFree, type Placed, type Search } from "./capacity";
import type { Launched } from "./launcher";
import type { Candidate } from "./planner";

/** One instance of a group. */
export interface Member {
  readonly name: string;
  readonly launch: (candidate: Candidate) => Promise<Launched>;
  /** Terminates what was launched for it: without the others it is of no use. */
  readonly release: (launched: Launched, at: Candidate) => Promise<void>;
}

/** A member that waits, and how it is told what came of it. */
interface Waiting {
  readonly member: Member;
  readonly resolve: (placed: Placed) => void;
  readonly reject: (error: unknown) => void;
}

/** How long others of a group are waited for after one has come, in milliseconds: what they need is made at one API call a second. */
const patienceMs = 600_000;
const pauseMs = 500;
/** Looks at what the account has, one in so many pauses. */
const looksEvery = 20;

const groups = new Map<string, LaunchGroup>();

/**
 * Launches an instance together with the others of its group: all at one place, or none. Those that exist already say
 * which region that is. What was launched before one was refused is terminated at once.
 * @param names Unique names of the whole group.
 * @param search Where to launch, and how long to wait for capacity: the same for all members.
 */
export function launchTogether(
  names: readonly string[],
  member: Member,
  search: Omit<Search, "launch">,
): Promise<Placed> {
  const key = [...names].sort().join(" ");
  let group = groups.get(key);
  if (group === undefined) {
    group = new LaunchGroup(names, search);
    groups.set(key, group);
    void group.launch().finally(() => groups.delete(key));
  }
  return group.join(member);
}

/** The members of a group that this process launches, which has all of them. */
class LaunchGroup {
  private readonly members = new Map<string, Waiting>();
  private arrivedAt = Date.now();

  constructor(
    private readonly names: readonly string[],
    private readonly search: Omit<Search, "launch">,
  ) {}

  join(member: Member): Promise<Placed> {
    this.arrivedAt = Date.now();
    return new Promise((resolve, reject) => this.members.set(member.name, { member, resolve, reject }));
  }

  /** Waits for all members, launches them, and tells each what came of it. */
  async launch(): Promise<void> {
    try {
      const there = await this.assembled();
      const placed = await this.launchAll(there);
      for (const [name, { resolve }] of this.members) {
        const own = placed.get(name);
        if (own !== undefined) resolve(own);
      }
    } catch (error) {
      for (const { reject } of this.members.values()) reject(error);
    }
  }

  /** Regions of the members that exist, once every other one has come. */
  private async assembled(): Promise<string[]> {
    const { cloud, context } = this.search;
    let there: Instance[] = [];
    for (let looks = 0; ; looks += 1) {
      context.interrupted.throwIfAborted();
      if (looks % looksEvery === 0) there = await living(cloud, this.names);
      const missing = this.names.filter(
        (name) => !this.members.has(name) && !there.some((instance) => instance.name === name),
      );
      if (missing.length === 0) return [...new Set(there.flatMap(({ region }) => region ?? []))];
      if (Date.now() - this.arrivedAt > patienceMs) {
        throw new Error(
          `Nothing was launched: ${missing.length} of ${this.names.length} machines that train together didn't come this ` +
            `far. Run \`up\` again; with many machines, with --parallel ${4 * this.names.length}.`,
        );
      }
      context.status("waiting for the machines that are launched with this one", `${missing.length} missing`);
      await new Promise((resume) => setTimeout(resume, pauseMs));
    }
  }

  private async launchAll(regions: readonly string[]): Promise<ReadonlyMap<string, Placed>> {
    const { wanted, context } = this.search;
    let launched = new Map<string, Launched>();
    if (regions.length > 0)
      context.progress(`launching beside the machines that train together in ${regions.join(", ")}`);
    const placed = await launchWhereFree({
      ...this.search,
      wanted: regions.length === 0 ? wanted : { ...wanted, regions },
      launch: async (candidate) => {
        launched = await this.launchAt(candidate);
        return [...launched.values()][0] as Launched;
      },
    });
    return new Map([...launched].map(([name, each]) => [name, { ...placed, ...each }]));
  }

  /** All members at one place. Whatever keeps one from it, those that were launched before are released. */
  private async launchAt(candidate: Candidate): Promise<Map<string, Launched>> {
    const launched = new Map<string, Launched>();
    try {
      for (const [name, { member }] of this.members) launched.set(name, await member.launch(candidate));
      return launched;
    } catch (error) {
      if (launched.size > 0) await this.release(launched, candidate, isKind(error, "capacity"));
      throw error;
    }
  }

  private async release(
    launched: ReadonlyMap<string, Launched>,
    candidate: Candidate,
    isCapacity: boolean,
  ): Promise<void> {
    const { context } = this.search;
    const { instanceType, region } = candidate;
    const why = isCapacity ? "there is no capacity for the others" : "the next launch failed";
    context.progress(
      `${launched.size} of ${this.members.size} ${instanceType} in ${region} were launched and are terminated: ${why}`,
    );
    const ends = [...launched].map(([name, each]) => this.members.get(name)?.member.release(each, candidate));
    const failed = (await Promise.allSettled(ends)).flatMap((end) => (end.status === "rejected" ? [end.reason] : []));
    if (failed.length > 0) {
      throw new Error(
        `Couldn't terminate ${failed.length} of ${launched.size} instances that were launched before ${why}: ` +
          `${(failed[0] as Error).message} They are billed. \`npm run up\` adopts them, \`npm run down\` terminates them.`,
        { cause: failed[0] },
      );
    }
  }
}

/** Instances of these names that are not on their way out. */
async function living(cloud: Cloud, names: readonly string[]): Promise<Instance[]> {
  const all = await cloud.client.listInstances();
  return all.filter(({ name, status }) => name !== undefined && names.includes(name) && !isEnding(status));
}
