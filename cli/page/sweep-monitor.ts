import { setTimeout as sleep } from "node:timers/promises";
import { KeptSession } from "../../remote/keep";
import { readStudy } from "../../remote/study";
import { type JobView, jobsOf, type StackView } from "../stack/stack-view";
import { isWorker } from "../sweep/trials";
import type { Events } from "./events";

/** Milliseconds between two questions to a study. */
const askMs = 4000;

/** Asks the study of a stack's sweep, over a connection of its own, and tells the page. */
export class SweepMonitor {
  private readonly kept: KeptSession;
  private readonly stop = new AbortController();

  private constructor(
    access: NonNullable<JobView["access"]>,
    private readonly experiment: string,
    private readonly events: Events,
    /** Tells this study from that of another machine or sweep. */
    readonly of: string,
  ) {
    this.kept = new KeptSession(access, () => {});
    void this.keepAsking();
  }

  /**
   * The monitor for what the stack has now: the one that there is, another, or none.
   * @param known The one that there is. It is closed where another takes its place.
   */
  static for(view: StackView | undefined, events: Events, known: SweepMonitor | undefined): SweepMonitor | undefined {
    const workers = view === undefined ? [] : jobsOf(view).filter(isWorker);
    const owner = workers.find(({ machine, worker }) => machine === worker.study);
    const of = JSON.stringify([owner?.access, owner?.run.experiment]);
    if (known !== undefined && known.of === of) return known;
    known?.close();
    events.set("sweep", null);
    return owner === undefined ? undefined : new SweepMonitor(owner.access, owner.run.experiment, events, of);
  }

  close(): void {
    this.stop.abort();
    this.kept.close();
  }

  private async keepAsking(): Promise<void> {
    const { signal } = this.stop;
    for (let first = true; !signal.aborted; first = false) {
      if (first || this.events.watched) await this.ask().catch(() => {});
      await sleep(askMs, undefined, { signal }).catch(() => {});
    }
  }

  /** What can't be asked just now stays as it was: the page tells of a lost connection by itself. */
  private async ask(): Promise<void> {
    const study = await this.kept.use((session) => readStudy(session, this.experiment));
    if (study === undefined) return;
    const params = [...new Set(study.trials.flatMap((trial) => Object.keys(trial.params)))];
    if (!this.stop.signal.aborted) this.events.set("sweep", { experiment: this.experiment, params, ...study });
  }
}
