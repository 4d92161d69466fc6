import type { BroughtHome } from "../../remote/home";
import { bringHome, endRun, homeNotes, homeText } from "../../remote/results";
import { resultsPlace, type WithRun } from "../stack/stack-view";
import { noteStopped, stopOthers, userReason } from "../stack/stopped";
import { printing } from "../terminal/listener";
import type { Events } from "./events";
import type { StackMonitor } from "./monitor";

/** What the page can ask for. Nothing of it terminates an instance. */
export type ActionName = "results" | "stop";

/** A running action, or how the last one ended. */
export interface ActionReport {
  readonly name: ActionName;
  readonly state: "running" | "done" | "failed";
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
  /** What it says, a line each; the last ones. */
  readonly lines: readonly string[];
}

const mostLines = 12;

/** Does what the page asks for, one thing at a time. */
export class Actions {
  private running = false;

  constructor(
    private readonly monitor: StackMonitor,
    private readonly events: Events,
  ) {}

  /** Begins an action. The topic `action` reports its progress. @throws CommandError where there is no run. */
  start(name: ActionName): "started" | "busy" {
    if (this.running) return "busy";
    const view = this.monitor.requireRun();
    this.running = true;
    void this.perform(name, view);
    return "started";
  }

  private async perform(name: ActionName, view: WithRun): Promise<void> {
    const startedAt = Date.now();
    const lines: string[] = [];
    const tell = (state: ActionReport["state"], line: string): void => {
      lines.push(line);
      this.events.set("action", { name, state, startedAt, lines: lines.slice(-mostLines) } satisfies ActionReport);
    };
    const place = resultsPlace(view);
    const progress = (line: string): void => tell("running", line);
    try {
      tell("running", name === "stop" ? "stopping the run cleanly" : "downloading the results");
      const home = await printing(progress, (listener) =>
        name === "stop" ? endRun(place, userReason, listener) : bringHome(place, listener),
      );
      for (const line of home === undefined ? [] : homeNotes(home)) tell("running", line);
      if (name === "stop") await noteStopped(view.stack, await stopOthers(view, this.monitor.jobs, progress), progress);
      tell("done", home === undefined ? "The run hasn't started yet, so there is nothing to download." : summary(home));
    } catch (error) {
      tell("failed", (error as Error).message);
    } finally {
      this.running = false;
      await this.monitor.refresh();
    }
  }
}

function summary(home: BroughtHome): string {
  const { folder, unstable, status } = home;
  const taken = unstable.length === 0 ? "" : `; changed during the download: ${unstable.join(", ")}`;
  return `${homeText(home, folder)} (run: ${status.state})${taken}`;
}
