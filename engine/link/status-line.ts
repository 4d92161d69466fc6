/** How often a status line may change. */
export interface Pace {
  /** Rows are drawn in a terminal: a line replaces the one before it. Otherwise every line stays. */
  readonly live: boolean;
  /** Seconds between two lines of the same resource where every line stays. Default 55. */
  readonly everySeconds?: number;
}

/** Seconds between two lines in a terminal. */
const liveSeconds = 1;

/** Part of the interval that a phase must last before it gets a line, if every line stays. */
const longEnough = 1 / 11;

/** Phases younger than this many seconds are shown without their age. */
const showAgeFrom = 5;

/**
 * What one resource does now, as one line: its phase, its duration and its details. In a terminal the line changes at
 * most once a second. Elsewhere a phase gets a line once it has lasted a few seconds, and then about once a minute, so
 * that a log neither fills up nor falls silent.
 */
export class StatusLine {
  private readonly timer: NodeJS.Timeout;
  private readonly intervalMs: number;
  private phase: string | undefined;
  private detail: string | undefined;
  private since = 0;
  /** The phase of the line that was shown last. */
  private told: string | undefined;
  private shown = "";
  private shownAt: number;

  /** @param show takes a line; @param now milliseconds since any moment */
  constructor(
    private readonly show: (line: string) => void,
    private readonly pace: Pace,
    private readonly now: () => number = Date.now,
  ) {
    this.shownAt = pace.live ? Number.NEGATIVE_INFINITY : now();
    this.intervalMs = (pace.everySeconds ?? 55) * 1000;
    const tickMs = pace.live ? liveSeconds * 1000 : Math.min(1000, this.intervalMs / 20);
    this.timer = setInterval(() => this.tick(), tickMs).unref();
  }

  /** What it does now. The same phase again continues with another detail. A detail of the phase "" is all of the line. */
  tell(phase: string, detail?: string): void {
    if (phase !== this.phase) this.since = this.now();
    this.phase = phase;
    this.detail = detail;
    this.tick();
  }

  /** Something else is told in its place: nothing until the next phase. */
  rest(): void {
    this.phase = undefined;
  }

  /**
   * From here on it shows only the last word, in place of a line that is no longer true.
   * @param always Tells it also where nothing was told before.
   */
  end(always = false): void {
    clearInterval(this.timer);
    if (this.phase !== undefined && (always || this.told !== undefined)) this.render(this.now(), false);
    this.phase = undefined;
  }

  /** Shows the line if its time has come. */
  tick(): void {
    if (this.phase === undefined) return;
    const now = this.now();
    const quiet = now - this.shownAt;
    const age = now - this.since;
    const due = this.pace.live
      ? quiet >= liveSeconds * 1000
      : quiet >= this.intervalMs || (this.phase !== this.told && age >= this.intervalMs * longEnough);
    if (!due) return;
    this.render(now, !this.pace.live);
  }

  private render(now: number, again: boolean): void {
    const line = this.line((now - this.since) / 1000);
    if (line === this.shown && !again) return;
    this.told = this.phase;
    this.shown = line;
    this.shownAt = now;
    this.show(line);
  }

  private line(seconds: number): string {
    if (this.phase === "") return this.detail ?? "";
    const age = seconds < showAgeFrom ? "" : ` (${inWords(seconds)})`;
    return `${this.phase}${age}${this.detail === undefined ? "" : `: ${this.detail}`}`;
  }
}

function inWords(seconds: number): string {
  return seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
}

/** The pace of this process; the variable is for tests, which cannot wait for minutes. */
export function paceOf(live: boolean, env: NodeJS.ProcessEnv = process.env): Pace {
  const everySeconds = Number(env.LAMBDA_TRAIN_STATUS_SECONDS);
  return everySeconds > 0 ? { live, everySeconds } : { live };
}
