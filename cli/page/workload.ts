import { openDashboard } from "../../remote/dashboard";
import { withSession } from "../../remote/session";
import { stackView } from "../stack/read";
import { type Choice, requireRun } from "../stack/stack-view";
import { CommandError, exitCodes } from "../terminal/command";

/**
 * The workload's own dashboard alone, until it ends or `interrupted` resolves.
 * @param port Port on 127.0.0.1; 0 for a free one.
 */
export async function showWorkloadDashboard(
  named: string | undefined,
  choice: Choice,
  port: number,
  interrupted: Promise<unknown>,
): Promise<void> {
  const { dashboard, workspace, stack, access, run } = requireRun(await stackView(named), choice);
  if (dashboard === undefined) {
    throw new CommandError(`The experiment of stack ${stack} has no dashboard.`, exitCodes.nothing);
  }
  await withSession(access, async (session) => {
    const open = await openDashboard(session, { dashboard, workspace, directory: run.directory }, port);
    console.log(`${open.url}  (Ctrl-C ends it)`);
    await Promise.race([interrupted, open.ended]);
    await open.close();
  });
}
