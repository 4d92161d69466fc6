import { setTimeout as sleep } from "node:timers/promises";
import { money } from "../../lambda/billing/bill";
import { KeptSession, type Link } from "../../remote/keep";
import { plainText } from "../../remote/log-text";
import type { SshSession } from "../../remote/session";
import type { RunStatus, SshAccess } from "../../remote/types";
import { cpuPercent } from "../page/machine-use";
import { lookAtAccount, notAsked } from "../stack/look";
import { stackView } from "../stack/read";
import { type JobLook, type JobReport, reportsOf } from "../stack/report";
import { type JobView, jobsOf, type StackView } from "../stack/stack-view";
import { type SweepReport, sweepsOf } from "../sweep/report";
import { countsOf } from "../sweep/screen";
import { lookAtRun, noDetails } from "./look";
import { screenOf } from "./screen";
import { figures, placeText } from "./text";

const stackMs = 20_000;
/** Seconds for a study's answer. Its server may have to start. */
const studySeconds = 15;
const notConnected = "not connected yet";
const noAnswer = "no answer yet";
/** Seconds that an answer may take at least: a shorter pause between two looks must not make it none. */
const leastSeconds = 2;

/** Looks at a stack again and again, over one connection a run that is made again when it is lost. */
export class StatusWatch {
  private view: StackView | undefined;
  private account = notAsked;
  private readAt = 0;
  private watches = new Map<string, RunWatch>();

  constructor(private readonly named: string | undefined) {}

  /** What is known now; waits for the instances no longer than given. */
  async next(seconds: number): Promise<JobReport[]> {
    if (this.view === undefined || Date.now() - this.readAt > stackMs) await this.readStack();
    const view = this.view as StackView;
    const looks = jobsOf(view).map(async (job): Promise<JobLook> => {
      const { run, details = noDetails } = (await this.watches.get(keyOf(job))?.look(seconds)) ?? {};
      return { job, run: run ?? { state: "none" }, details };
    });
    return reportsOf(view, this.account, await Promise.all(looks));
  }

  /** The sweeps of the stack that was looked at last; waits for their studies no longer than given. */
  async sweeps(seconds: number): Promise<readonly SweepReport[]> {
    if (this.view === undefined) return [];
    return sweepsOf(this.view, (worker, what) => {
      const watch = this.watches.get(keyOf(worker));
      return watch === undefined ? Promise.reject(new Error(notConnected)) : watch.use(what, seconds);
    });
  }

  close(): void {
    for (const each of this.watches.values()) each.close();
  }

  private async readStack(): Promise<void> {
    this.view = await stackView(this.named);
    this.account = await lookAtAccount(this.view, { rent: true });
    this.readAt = Date.now();
    const known = this.watches;
    this.watches = new Map();
    for (const job of jobsOf(this.view)) {
      const { instance, access, run } = job;
      if (instance === undefined || access === undefined || run === undefined) continue;
      const key = keyOf(job);
      this.watches.set(key, known.get(key) ?? new RunWatch(access, run.experiment, job.worker === undefined));
      known.delete(key);
    }
    for (const gone of known.values()) gone.close();
  }
}

function keyOf({ access, run }: JobView): string {
  return JSON.stringify([access, run?.experiment]);
}

/** Looks at one run. */
class RunWatch {
  private readonly kept: KeptSession;
  private link: Link | undefined;
  private seen: Pick<JobLook, "details"> & { readonly run?: RunStatus } = {};

  constructor(
    access: SshAccess,
    private readonly experiment: string,
    private readonly trains: boolean,
  ) {
    this.kept = new KeptSession(access, (link) => {
      this.link = link;
    });
  }

  close(): void {
    this.kept.close();
  }

  /** What is known now; waits for the instance no longer than given. */
  async look(seconds: number): Promise<Omit<JobLook, "job">> {
    const look = await this.use((session) => lookAtRun(session, this.experiment, this.trains), seconds).catch(
      () => undefined,
    );
    if (look !== undefined) {
      const { status, ...details } = look;
      const use = cpuPercent(this.seen.details?.machine ?? undefined, look.machine) ?? undefined;
      this.seen = { run: status, details: { ...details, cpuPercent: use } };
    }
    const unreachable = { state: "unreachable", reason: this.lost ?? notConnected } as const;
    return { ...this.seen, run: this.lost === undefined ? (this.seen.run ?? unreachable) : unreachable };
  }

  /**
   * Does something over the connection that is kept.
   * @throws Error that says why there is no answer in time.
   */
  async use<T>(what: (session: SshSession) => Promise<T>, seconds: number): Promise<T> {
    const due = sleep(Math.max(leastSeconds, seconds) * 1000, undefined, { ref: false });
    const answer = await Promise.race([this.kept.use(what), due]);
    if (answer === undefined)
      throw new Error(this.lost ?? (this.link?.state === "connected" ? noAnswer : notConnected));
    return answer;
  }

  /** Why there is no connection; undefined while there is one, or the first is being made. */
  private get lost(): string | undefined {
    return this.link?.state === "lost" ? this.link.reason : undefined;
  }
}

/** Shows the status in this terminal until `stop`: redrawn in place, or a line a look where there is no terminal. */
export async function watchStatus(named: string | undefined, seconds: number, stop: AbortSignal): Promise<void> {
  const watch = new StatusWatch(named);
  const { stdout } = process;
  const restore = stdout.isTTY ? enterScreen() : undefined;
  try {
    for (let first = true; !stop.aborted; first = false) {
      const report = await Promise.race([watch.next(seconds), aborted(stop)]);
      if (report === undefined) return;
      const sweeps = await Promise.race([watch.sweeps(Math.max(seconds, studySeconds)), aborted(stop)]);
      if (restore === undefined) console.log(lineOf(report, sweeps));
      else draw(screenOf(report, stdout.columns, sweeps));
      await sleep((first ? Math.min(1, seconds) : seconds) * 1000, undefined, { signal: stop }).catch(() => {});
    }
  } finally {
    restore?.();
    watch.close();
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
}

/** The other screen, without a cursor; what is given back ends it, as the end of the process does. */
function enterScreen(): () => void {
  process.stdout.write("\x1b[?1049h\x1b[?25l");
  const leave = (): void => void process.stdout.write("\x1b[?25h\x1b[?1049l");
  process.once("exit", leave);
  return () => {
    process.off("exit", leave);
    leave();
  };
}

function draw(lines: readonly string[]): void {
  const shown = lines.slice(0, process.stdout.rows);
  process.stdout.write(`\x1b[H${shown.map((line) => `${line}\x1b[K`).join("\n")}\x1b[J`);
}

/** The reports as one line. */
function lineOf(all: readonly JobReport[], sweeps: readonly SweepReport[] = []): string {
  const { cost = null, strays = [], unknown = null } = all[0]?.report ?? {};
  const parts = [
    new Date().toISOString().slice(0, 19),
    ...all.flatMap(({ report: { experiment, run, progress = null } }) => [
      experiment ?? "no run",
      run.state,
      ...(progress === null ? [] : [placeText(progress), ...figures(progress.values)]),
    ]),
    ...sweeps.flatMap(({ study }) => (study === undefined ? [] : [countsOf(study)])),
    ...(cost === null ? [] : [money(cost.dollars)]),
    ...(strays.length === 0 ? [] : [`${strays.length} launched that the state does not know`]),
    ...(unknown === null ? [] : [`unknown: ${unknown}`]),
    ...new Set(all.flatMap(({ report: { maintenance = [] } }) => maintenance.map(({ text }) => text))),
  ];
  return plainText(parts.join("  "));
}
