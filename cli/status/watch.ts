import { setTimeout as sleep } from "node:timers/promises";
import { money } from "../../lambda/billing/bill";
import { KeptSession, type Link } from "../../remote/keep";
import { plainText } from "../../remote/log-text";
import type { MachineLook } from "../../remote/machine";
import type { SshAccess } from "../../remote/types";
import { cpuPercent } from "../page/machine-use";
import { instanceStatus, statusText } from "../stack/look";
import { stackView } from "../stack/read";
import { type Beside, besideOf, reportOf } from "../stack/report";
import type { StackView } from "../stack/stack-view";
import { lookAtRun, type RunLook } from "./look";
import { figures, type StatusReport, screenOf } from "./screen";

const stackMs = 20_000;

/** Looks at a stack again and again, over one connection that is made again when it is lost. */
export class StatusWatch {
  private view: StackView | undefined;
  private instanceState = "none";
  private beside: Beside = {};
  private readAt = 0;
  private kept: KeptSession | undefined;
  private keptFor: SshAccess | undefined;
  private link: Link | undefined;
  private look: RunLook | undefined;
  private machine: MachineLook | undefined;
  /** Use of the processors between the last two looks. */
  cpuPercent: number | undefined;

  constructor(private readonly named: string | undefined) {}

  /** What is known now; waits for the instance no longer than given. */
  async next(seconds: number): Promise<StatusReport> {
    if (this.view === undefined || Date.now() - this.readAt > stackMs) await this.readStack();
    const view = this.view as StackView;
    if (this.kept !== undefined && view.run !== undefined) {
      const { experiment } = view.run;
      const look = await Promise.race([
        this.kept.use((session) => lookAtRun(session, experiment)).catch(() => undefined),
        sleep(Math.max(2, seconds) * 1000),
      ]);
      if (look !== undefined) this.take(look);
    }
    const lost = this.link?.state === "lost" ? this.link.reason : undefined;
    const unreachable = { state: "unreachable", reason: lost ?? "not connected yet" } as const;
    const none = view.run === undefined || this.kept === undefined;
    const run = none
      ? ({ state: "none" } as const)
      : lost === undefined
        ? (this.look?.status ?? unreachable)
        : unreachable;
    const { machine = null, progress = null, metrics = {}, log = [] } = this.look ?? {};
    return { ...reportOf(view, this.instanceState, run, this.beside), machine, progress, metrics, log };
  }

  close(): void {
    this.kept?.close();
  }

  private take(look: RunLook): void {
    this.cpuPercent = cpuPercent(this.machine, look.machine) ?? undefined;
    this.machine = look.machine;
    this.look = look;
  }

  private async readStack(): Promise<void> {
    this.view = await stackView(this.named);
    const seen = await instanceStatus(this.view);
    this.instanceState = statusText(seen);
    this.beside = besideOf(this.view, seen);
    this.readAt = Date.now();
    const access = this.view.instance === undefined ? undefined : this.view.access;
    if (JSON.stringify(access) === JSON.stringify(this.keptFor)) return;
    this.kept?.close();
    this.look = undefined;
    this.keptFor = access;
    const onLink = (link: Link): void => {
      this.link = link;
    };
    this.kept = access && new KeptSession(access, onLink);
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
      if (restore === undefined) console.log(lineOf(report));
      else draw(screenOf(report, stdout.columns, watch.cpuPercent));
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

/** A report as one line. */
function lineOf({ experiment, run, progress, cost, strays, unknown }: StatusReport): string {
  const parts = [
    new Date().toISOString().slice(0, 19),
    experiment ?? "no run",
    run.state,
    ...(progress === null ? [] : [`${progress.axis} ${progress.at}`, ...figures(progress.values)]),
    ...(cost === null ? [] : [money(cost.dollars)]),
    ...(strays.length === 0 ? [] : [`${strays.length} launched that the state does not know`]),
    ...(unknown === null ? [] : [`unknown: ${unknown}`]),
  ];
  return plainText(parts.join("  "));
}
