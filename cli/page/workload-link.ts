import { type OpenDashboard, openDashboard } from "../../remote/dashboard";
import { CommandError, exitCodes } from "../terminal/command";
import type { StackMonitor } from "./monitor";

/** The workload's own dashboard, opened over the page's SSH connection when somebody first asks for it. */
export class WorkloadLink {
  private current: Promise<OpenDashboard> | undefined;

  constructor(private readonly monitor: StackMonitor) {}

  /** Opens it, or finds it open. @returns its address on this machine. */
  async open(): Promise<string> {
    this.current ??= this.begin();
    return (await this.current).url;
  }

  async close(): Promise<void> {
    const open = await this.current?.catch(() => undefined);
    await open?.close();
  }

  private begin(): Promise<OpenDashboard> {
    const opening = this.openOnce();
    const forget = (): void => {
      if (this.current === opening) this.current = undefined;
    };
    opening.then((open) => open.ended.then(() => open.close().catch(() => {})).finally(forget), forget);
    return opening;
  }

  private async openOnce(): Promise<OpenDashboard> {
    const { job, run: monitor } = this.monitor;
    const view = job === undefined ? undefined : this.monitor.requireRun();
    if (view?.dashboard === undefined || monitor === undefined) {
      throw new CommandError("This stack's workload has no dashboard of its own.", exitCodes.nothing);
    }
    const { dashboard, workspace, run } = view;
    const place = { dashboard, workspace, directory: run.directory };
    const open = await monitor.session.use((session) => openDashboard(session, place, 0));
    if (open === undefined) throw new CommandError("The connection to the instance was lost. Try again.");
    return open;
  }
}
