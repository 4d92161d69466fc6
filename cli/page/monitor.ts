import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { isGone } from "../../lambda/life/presence";
import { projectFolder } from "../../local/paths";
import { resultsFile } from "../../remote/transfer/results-file";
import { instanceStatus, statusText } from "../stack/look";
import { stackView } from "../stack/read";
import { type Beside, besideOf, type RunReport, reportOf, type StackReport } from "../stack/report";
import type { StackView } from "../stack/stack-view";
import { CommandError } from "../terminal/command";
import { configurationOf } from "./configuration";
import type { Events } from "./events";
import { HomeExperiments, resultsRoot } from "./experiments";
import { lifecycleOf } from "./lifecycle";
import { RunMonitor } from "./run-monitor";

/** Milliseconds between two readings of the stack's state: it changes while an `up` or `down` works. */
const stateMs = { changing: 4000, settled: 20_000, alone: 60_000 };
/** Milliseconds between two questions to the API about an instance whose status is not about to change. */
const instanceMs = 20_000;
const experimentsMs = 5000;

/** Watches a stack, and tells the page. */
export class StackMonitor {
  private readonly stop = new AbortController();
  private view: StackView | undefined;
  private instanceState = "none";
  private beside: Beside = {};
  /** What was asked about, and when. */
  private asked: { readonly id: string | undefined; readonly at: number } | undefined;
  private runMonitor: RunMonitor | undefined;
  private watching = "";
  private homes = new HomeExperiments(join(projectFolder(), "results"));

  constructor(
    private readonly named: string | undefined,
    private readonly events: Events,
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
  }

  /** The stack as its state tells it. */
  get stack(): StackView | undefined {
    return this.view;
  }

  /** The run's monitor, where there is an instance to speak to. */
  get run(): RunMonitor | undefined {
    return this.runMonitor;
  }

  /** The stack's report, put together as `status --json` does. undefined where there is no such stack. */
  report(): StackReport | undefined {
    return this.view === undefined ? undefined : reportOf(this.view, this.instanceState, this.runReport(), this.beside);
  }

  /** Reads the state and asks the API again, soon. */
  async refresh(): Promise<void> {
    this.asked = undefined;
    await this.readStack();
    this.tellExperiments();
  }

  private runReport(): RunReport {
    if (this.view?.access === undefined || this.view.run === undefined) return { state: "none" };
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
      const settled = this.runMonitor?.seen.link.state === "connected" && this.view?.run !== undefined;
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
    if (this.view !== undefined && this.isToBeAsked(this.view.instance?.id)) {
      const { view } = this;
      const seen = await instanceStatus(view);
      this.instanceState = statusText(seen);
      this.beside = besideOf(view, seen);
      this.asked = { id: view.instance?.id, at: Date.now() };
    }
    if (!this.stop.signal.aborted) this.watch();
    this.tell();
  }

  private isToBeAsked(id: string | undefined): boolean {
    const { asked, instanceState } = this;
    const settled = instanceState === "active" || isGone(instanceState);
    return asked === undefined || asked.id !== id || !settled || Date.now() - asked.at > instanceMs;
  }

  /** Watches the instance and the experiment that the stack has now. */
  private watch(): void {
    const { access, run, instance } = this.view ?? {};
    const there = access !== undefined && instance !== undefined && this.instanceState !== "gone";
    const watching = there ? JSON.stringify([instance.id, access, run?.experiment]) : "";
    if (watching === this.watching) return;
    this.watching = watching;
    this.runMonitor?.close();
    this.events.resetLog();
    for (const topic of ["machine", "checkpoints", "metrics", "trouble"]) this.events.set(topic, null);
    this.runMonitor = there ? new RunMonitor(access, run?.experiment, this.events, () => this.tell()) : undefined;
  }

  private tell(): void {
    const report = this.report();
    const seen = this.runMonitor?.seen;
    const facts = { view: this.view, report, machine: seen?.machine, resultsAt: this.resultsAt(report) };
    this.events.set("report", report);
    this.events.set("link", seen?.link ?? { state: "none" });
    this.events.set("lifecycle", lifecycleOf({ ...facts, skewMs: seen?.skewMs ?? 0 }));
    this.events.set("configuration", this.view === undefined ? null : configurationOf(this.view));
  }

  private resultsAt(report: StackReport | undefined): number | undefined {
    const record = report?.results === null || report === undefined ? undefined : join(report.results, resultsFile);
    return record !== undefined && existsSync(record) ? statSync(record).mtimeMs : undefined;
  }

  private tellExperiments(): void {
    const folder = this.view?.resultsFolder;
    if (folder !== undefined && resultsRoot(folder) !== this.homes.folder) {
      this.homes = new HomeExperiments(resultsRoot(folder));
    }
    this.events.set("experiments", this.homes.list());
  }
}
