import { setTimeout as sleep } from "node:timers/promises";
import { eventText } from "../../remote/events";
import { followOn, LogPlace } from "../../remote/follow";
import { KeptSession, type Link } from "../../remote/keep";
import { type MachineLook, readMachine } from "../../remote/machine";
import { leftMetricsText, readMetricFiles } from "../../remote/metric-files";
import { readStatus } from "../../remote/run";
import type { RunStatus, SshAccess } from "../../remote/types";
import { courseOf, noMetrics } from "../curves/course";
import { LogCurves } from "../curves/log-curves";
import { metricsOf } from "../curves/metric-files";
import { type Events, keptLines } from "./events";
import { addLook, type MachineUse } from "./machine-use";

/** Milliseconds between two looks. */
const lookMs = 2000;
/** While nobody has the page open, one look in so many is taken. */
const aloneEvery = 8;
const metricsEvery = 2;
/** Of a line of the log with a longer progress bar the page gets the end. */
const barBytes = 64 * 1024;

/** What happened to the run, the newest first. `at`: milliseconds since the epoch. */
function history(status: RunStatus | undefined): { at: number; text: string }[] {
  const events = status?.events ?? [];
  return events.map((event) => ({ at: event.at * 1000, text: eventText(event) })).toReversed();
}

/** What the instance tells, as it was seen last. */
export interface Seen {
  readonly link: Link;
  readonly status?: RunStatus;
  readonly machine?: MachineLook;
  /** Milliseconds by which the instance's clock is behind this machine's. */
  readonly skewMs: number;
}

/** What to watch on an instance. */
export interface MonitoredRun {
  /** undefined while the stack has no run yet: the machine alone is watched. */
  readonly experiment: string | undefined;
  /** Whether it trains itself. A worker of a sweep doesn't: its log tells of many trials, and has no curve. */
  readonly trains: boolean;
}

/**
 * Watches an instance and the run on it over one SSH connection: status, machine, metrics and log. It goes on whenever
 * the connection is there again.
 */
export class RunMonitor {
  private readonly kept: KeptSession;
  private readonly stop = new AbortController();
  private logCurves = new LogCurves();
  private link: Link = { state: "connecting", since: Date.now() };
  private status: RunStatus | undefined;
  private machine: MachineLook | undefined;
  private skewMs = 0;
  private use: MachineUse | undefined;
  private metrics = noMetrics;
  private metricsMark = "";
  private turns = 0;
  private looks = 0;
  private readonly troubles = new Map<string, string>();
  private readonly place = new LogPlace({ lines: keptLines });
  /** Bytes of the log that were sent. Starts at 0 again if the log was truncated or replaced. */
  private known: number | undefined;

  /** @param onChange Told whenever something other than the log has changed. */
  constructor(
    access: SshAccess,
    private readonly run: MonitoredRun,
    private readonly events: Events,
    private readonly onChange: () => void,
  ) {
    const { experiment } = run;
    this.kept = new KeptSession(access, (link) => {
      this.link = link;
      onChange();
    });
    void this.repeat("look", () => this.look());
    if (experiment !== undefined) void this.repeat("log", () => this.follow(experiment));
  }

  get seen(): Seen {
    return { link: this.link, status: this.status, machine: this.machine, skewMs: this.skewMs };
  }

  /** The connection, for what the page asks for. */
  get session(): KeptSession {
    return this.kept;
  }

  close(): void {
    this.stop.abort();
    this.kept.close();
  }

  /** Does something again and again; what goes wrong once is tried again like all else, and told. */
  private async repeat(name: string, what: () => Promise<number>): Promise<void> {
    const { signal } = this.stop;
    while (!signal.aborted) {
      let pause: number;
      try {
        pause = await what();
        this.tellTrouble(name, undefined);
      } catch (error) {
        if (signal.aborted) return;
        this.tellTrouble(name, (error as Error).message);
        pause = 5000;
      }
      await sleep(pause, undefined, { signal }).catch(() => {});
    }
  }

  private tellTrouble(name: string, message: string | undefined): void {
    if (message === undefined) this.troubles.delete(name);
    else this.troubles.set(name, message);
    this.events.set("trouble", [...this.troubles.values()]);
  }

  private async look(): Promise<number> {
    const { experiment, trains } = this.run;
    this.turns++;
    if (!this.events.watched && this.turns % aloneEvery !== 1) return lookMs;
    await this.kept.use(async (session) => {
      if (experiment !== undefined) this.status = await readStatus(session, experiment);
      const outputPath = this.status?.outputPath;
      const asked = Date.now();
      const look = await readMachine(session, { experiment: experiment ?? "", outputPath });
      const answered = Date.now();
      this.use = addLook(this.use, this.machine, look, answered);
      this.machine = look;
      this.skewMs = (asked + answered) / 2 - look.now * 1000;
      this.events.set("history", history(this.status));
      this.events.set("machine", this.use);
      this.events.set("checkpoints", look.checkpoints);
      if (experiment !== undefined && trains && this.looks++ % metricsEvery === 0) {
        const { mark, files, left, earlier } = await readMetricFiles(
          session,
          experiment,
          outputPath ?? "",
          this.metricsMark,
        );
        this.metricsMark = mark;
        if (files !== undefined) {
          this.metrics = metricsOf(files, earlier);
          const names = left.map(leftMetricsText).join(", ");
          this.tellTrouble("metrics", names === "" ? undefined : `Files that may hold metrics weren't read: ${names}`);
        }
      }
      this.tellMetrics();
      this.onChange();
    });
    return lookMs;
  }

  private tellMetrics(): void {
    this.events.set(
      "metrics",
      courseOf(this.metrics, this.logCurves.look({ ended: this.status?.exitCode !== undefined })),
    );
  }

  /** Follows the log until the attempt or the connection ends. A later call continues there. */
  private async follow(experiment: string): Promise<number> {
    await this.kept.use((session) =>
      followOn(session, experiment, this.place, {
        signal: this.stop.signal,
        barBytes,
        onChunk: (chunk, at) => {
          if (at !== this.known && this.known !== undefined) {
            this.events.resetLog();
            this.logCurves = new LogCurves();
          }
          this.known = at + chunk.length;
          this.events.appendLog(chunk);
          if (this.run.trains) this.logCurves.push(chunk);
        },
      }),
    );
    return 1000;
  }
}
