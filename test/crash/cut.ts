import type { ChildProcess } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";
import { family, processes, type SeenProcess } from "../security/processes";
import type { TestCloud } from "../support/cloud";
import type { Cut, Moment, Target } from "./operations";

/** A line of the engine that says what it begins or has done: `+ type:Token name creating (0s)`. */
const event = /^\s*\S+\s+\S+:\S+\s+(\S+)\s+(creat|updat|delet|replac|refresh|read)(ing|ed)\b/;
const quiet = /^\s{4}\S+:\S+\s+(\S+)\s*$/;

/** What the engine's output tells of where an operation is. */
export class Progress {
  events = 0;
  private rest = "";
  /** Resource → what is being done to it. */
  private readonly underWay = new Map<string, string>();
  private readonly listeners = new Set<() => void>();

  constructor(child: ChildProcess) {
    child.stdout?.on("data", (chunk: Buffer) => this.take(chunk.toString()));
  }

  /** What is being done now: the last that began, of the resources that do something. */
  get phase(): string {
    const last = [...this.underWay].at(-1);
    if (last !== undefined) return `${last[1]} ${last[0]}`;
    return this.events === 0 ? "before the first resource" : "between resources";
  }

  /** Calls back at each event. */
  onEvent(listener: () => void): void {
    this.listeners.add(listener);
  }

  private take(text: string): void {
    const lines = `${this.rest}${text}`.split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.read(line);
  }

  private read(line: string): void {
    const [, name = "", verb, stage] = event.exec(line) ?? [];
    if (verb === undefined) {
      // A refreshed resource without changes is told by its name alone.
      this.underWay.delete(quiet.exec(line)?.[1] ?? "");
      return;
    }
    // Components do nothing themselves.
    const isComponent = /\slambda-train:index:|\spulumi:pulumi:Stack\s/.test(line);
    if (stage === "ing" && !isComponent) this.underWay.set(plainName(name), `${verb}ing`);
    if (stage === "ed") this.underWay.delete(plainName(name));
    this.events += 1;
    for (const listener of this.listeners) listener();
  }
}

/** Of regions one is as good as another. */
const plainName = (name: string): string => name.replace(/-us-(east|west)-1$/, "");

/** What a cut did. */
export interface Struck {
  /** What the engine was doing. */
  readonly phase: string;
  /** Processes that were there and may live on. */
  readonly left: readonly SeenProcess[];
}

/** What an operation usually takes when it is not cut. */
export interface Usual {
  readonly milliseconds: number;
  /** Events of the engine's output. */
  readonly events: number;
}

/**
 * Waits for the moment and cuts the operation short, unless it ends first.
 * @returns undefined where it was over before
 */
export async function strike(
  cut: Cut,
  running: { readonly child: ChildProcess; readonly ended: Promise<unknown> },
  progress: Progress,
  cloud: TestCloud,
  usual: Usual,
): Promise<Struck | undefined> {
  const { child } = running;
  const over = new AbortController();
  void running.ended.finally(() => over.abort());
  const came = await Promise.race([moment(cut.moment, progress, cloud, usual, over.signal), gone(over.signal)]);
  if (!came || child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return undefined;
  let members = familyOf(child.pid);
  let { phase } = progress;
  if (cut.how === "kill") {
    let victims = members.filter((each) => isTarget(each, cut.target));
    // The moment may have come before the one to be hit was started.
    while (victims.length === 0 && !over.signal.aborted) {
      await sleep(50);
      members = familyOf(child.pid);
      ({ phase } = progress);
      victims = members.filter((each) => isTarget(each, cut.target));
    }
    if (victims.length === 0) return undefined;
    for (const { pid } of victims) send(pid, "SIGKILL");
  } else {
    // Whoever is in front hands it on, as a shell without a terminal would have it.
    send(child.pid, "SIGINT");
    if (cut.times === 2) {
      await Promise.race([sleep(300), running.ended]);
      if (child.exitCode === null && child.signalCode === null) send(child.pid, "SIGINT");
    }
  }
  return { phase, left: members };
}

/** A process and all below it. */
function familyOf(pid: number): SeenProcess[] {
  const all = processes();
  const members = family(all, pid);
  return all.filter((each) => members.has(each.pid));
}

const gone = (signal: AbortSignal): Promise<false> =>
  new Promise((settle) => signal.addEventListener("abort", () => settle(false), { once: true }));

async function moment(
  at: Moment,
  progress: Progress,
  cloud: TestCloud,
  usual: Usual,
  signal: AbortSignal,
): Promise<true> {
  const hasEvents = usual.events >= 3;
  if ("time" in at || ("events" in at && !hasEvents)) {
    await sleep((usual.milliseconds * ("time" in at ? at.time : at.events)) / 100);
  } else if ("events" in at) {
    const wanted = Math.max(1, Math.round((usual.events * at.events) / 100));
    await new Promise<void>((reached) => {
      progress.onEvent(() => progress.events >= wanted && reached());
    });
  } else {
    // A fault that does nothing counts.
    const { id } = await cloud.admin.addApiFault({ match: {}, action: {} });
    const seen = async (): Promise<number> =>
      (await cloud.admin.faults()).api.find((fault) => fault.id === id)?.seen ?? 0;
    while (!signal.aborted && (await seen()) < at.calls) await sleep(20);
    await cloud.admin.removeFault(id);
  }
  return true;
}

function isTarget({ argv }: SeenProcess, target: Target): boolean {
  const words = argv.split("\0");
  const program = words[0]?.split("/").at(-1) ?? "";
  if (target === "everything") return true;
  if (target === "cli") return program === "pulumi";
  if (target === "provider") return argv.includes("dynamic-provider") || argv.includes("pulumi-resource-pulumi-nodejs");
  return program === "pulumi-language-nodejs" || argv.includes("@pulumi/pulumi/cmd/run");
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended just now.
  }
}
