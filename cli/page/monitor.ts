import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isGone } from "../../lambda/life/presence";
import { projectFolder } from "../../local/paths";
import { onlyMachine } from "../../plan/types";
import { resultsFile } from "../../remote/transfer/results-file";
import { lookAtAccount, notAsked, statusText } from "../stack/look";
import { stackView } from "../stack/read";
import { type RunReport, reportsOf, type StackReport } from "../stack/report";
import { type JobView, jobsOf, requireRun, type StackView, type WithRun } from "../stack/stack-view";
import { CommandError } from "../terminal/command";
import { configurationOf } from "./configuration";
import type { Events } from "./events";
import { HomeExperiments, resultsRoot } from "./experiments";
import { lifecycleOf } from "./lifecycle";
import { RunMonitor } from "./run-monitor";
import { SweepMonitor } from "./sweep-monitor";

/** Milliseconds between two readings of the stack's state: it changes while an `up` or `down` works. */
const stateMs = { changing: 4000, settled: 20_000, alone: 60_000 };
/** Milliseconds between two questions to the API about an instance whose status is not about to change. */
const instanceMs = 20_000;
const experimentsMs = 5000;

/** Watches one run of a stack with its machine, and tells its page. */
export class StackMonitor {
  private readonly stop = new AbortController();
  private view: StackView | undefined;
  private account = notAsked;
  /** What was asked about, and when. */
  private asked: { readonly ids: string; readonly at: number } | undefined;
  private runMonitor: RunMonitor | undefined;
  private sweepMonitor: SweepMonitor | undefined;
  private watching = "";
  private homes = new HomeExperiments(join(projectFolder(), "results"));

  /** @param chosen The run. Default, and as long as there is no such: the first. */
  constructor(
    private readonly named: string | undefined,
    private readonly events: Events,
    private readonly chosen?: string,
  ) {}

  /** Reads the stack for the first time, then watches it. */
  async start(): Promise<void> {
    await this.readStack();
    this.tellExperiments();
    void this.keepReading();
    void this.keepLooking();
  }

  close(): void {
    this.stop.abort();
    this.runMonitor?.close();
    this.sweepMonitor?.close();
  }

  /** The runs of the stack, each with its machine. */
  get jobs(): JobView[] {
    return this.view === undefined ? [] : jobsOf(this.view);
  }

  /** The one that the page shows. */
  get job(): JobView | undefined {
    const { jobs } = this;
    return jobs.find(({ name }) => name !== undefined && name === this.chosen) ?? jobs[0];
  }

  /** The run that the page shows. @throws CommandError where there is none yet. */
  requireRun(): WithRun {
    const none = { stack: "", machines: [{ machine: onlyMachine, progress: { done: {}, underWay: [] } }], runs: [] };
    return requireRun(this.view ?? none, { machine: this.job?.machine, run: this.job?.name });
  }

  /** The run's monitor, where there is an instance to speak to. */
  get run(): RunMonitor | undefined {
    return this.runMonitor;
  }

  /** The report, put together as `status --json` does. undefined where there is no such stack. */
  report(): StackReport | undefined {
    const { view, job } = this;
    if (view === undefined || job === undefined) return undefined;
    return reportsOf(view, this.account, [{ job, run: this.runReport(job) }])[0]?.report;
  }

  /** Reads the state and asks the API again, soon. */
  async refresh(): Promise<void> {
    this.asked = undefined;
    await this.readStack();
    this.tellExperiments();
  }

  private runReport({ access, run }: JobView): RunReport {
    if (access === undefined || run === undefined) return { state: "none" };
    const seen = this.runMonitor?.seen;
    if (seen?.link.state === "lost") return { state: "unreachable", reason: seen.link.reason };
    return seen?.status ?? { state: "unreachable", reason: "not connected yet" };
  }

  private async keepReading(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      await this.untilDue(signal);
      if (!signal.aborted) await this.readStack();
    }
  }

  /** Waits for the next reading: a browser that comes while nobody has watched must not wait as long as nobody did. */
  private async untilDue(signal: AbortSignal): Promise<void> {
    const due = (): number => {
      if (!this.events.watched) return stateMs.alone;
      const settled = this.runMonitor?.seen.link.state === "connected" && this.job?.run !== undefined;
      return settled ? stateMs.settled : stateMs.changing;
    };
    const began = Date.now();
    while (!signal.aborted && Date.now() - began < due()) await sleep(1000, undefined, { signal }).catch(() => {});
  }

  private async keepLooking(): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      await sleep(experimentsMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      this.tellExperiments();
      // Costs rise without anything happening.
      this.tell();
    }
  }

  private async readStack(): Promise<void> {
    try {
      this.view = await stackView(this.named);
      this.events.set("stack", { name: this.view.stack });
    } catch (error) {
      if (this.stop.signal.aborted) return;
      this.events.set("stack", { name: this.named ?? null, trouble: (error as Error).message });
      // A state that cannot be read just now says nothing about the instance.
      if (!(error instanceof CommandError)) return;
      this.view = undefined;
    }
    const ids = this.view?.machines.map(({ instance }) => instance?.id).join(" ") ?? "";
    if (this.view !== undefined && this.isToBeAsked(ids)) {
      this.account = await lookAtAccount(this.view, { rent: true });
      this.asked = { ids, at: Date.now() };
    }
    if (!this.stop.signal.aborted) {
      this.watch();
      this.sweepMonitor = SweepMonitor.for(this.view, this.events, this.sweepMonitor);
    }
    this.tell();
  }

  private isToBeAsked(ids: string): boolean {
    const { asked, account } = this;
    const states = Object.values(account.statuses);
    const settled = states.length > 0 && states.every((state) => state === "active" || isGone(state));
    return asked === undefined || asked.ids !== ids || !settled || Date.now() - asked.at > instanceMs;
  }

  /** Watches the instance and the experiment that the stack has now. */
  private watch(): void {
    const { job } = this;
    const { access, run, worker, instance } = job ?? {};
    const isGoneForGood = job !== undefined && statusText(this.account, job) === "gone";
    const there = access !== undefined && instance !== undefined && !isGoneForGood;
    const watching = there ? JSON.stringify([instance.id, access, run?.experiment]) : "";
    if (watching === this.watching) return;
    this.watching = watching;
    this.runMonitor?.close();
    this.events.resetLog();
    for (const topic of ["history", "machine", "checkpoints", "metrics", "trouble"]) this.events.set(topic, null);
    const monitored = { experiment: run?.experiment, trains: worker === undefined };
    this.runMonitor = there ? new RunMonitor(access, monitored, this.events, () => this.tell()) : undefined;
  }

  private tell(): void {
    const report = this.report();
    const seen = this.runMonitor?.seen;
    const facts = { view: this.job, report, machine: seen?.machine, resultsAt: this.resultsAt(report) };
    this.events.set("report", report);
    this.events.set("link", seen?.link ?? { state: "none" });
    this.events.set("lifecycle", lifecycleOf({ ...facts, skewMs: seen?.skewMs ?? 0 }));
    this.events.set("configuration", this.job === undefined ? null : configurationOf(this.job));
    this.tellRuns();
  }

  /** Tells which others have a page, if there are others. */
  private tellRuns(): void {
    const shown = this.job?.name;
    const runs = this.jobs.flatMap(({ name, machine, run, label }) =>
      label === undefined || name === undefined
        ? []
        : [{ name, machine, experiment: run?.experiment, shown: name === shown }],
    );
    if (runs.length > 1) this.events.set("runs", runs);
  }

  private resultsAt(report: StackReport | undefined): number | undefined {
    if (report === undefined || report.results === null || report.resultsLack !== undefined) return undefined;
    const record = join(report.results, resultsFile);
    return existsSync(record) ? statSync(record).mtimeMs : undefined;
  }

  private tellExperiments(): void {
    const folder = this.job?.resultsFolder;
    if (folder !== undefined && resultsRoot(folder) !== this.homes.folder) {
      this.homes = new HomeExperiments(resultsRoot(folder));
    }
    this.events.set("experiments", this.homes.list());
  }
}
