import { openDashboard } from "../remote/dashboard";
import { SshSession } from "../remote/session";
import { CommandError, exitCodes, operatorCommand, run, wholeNumber } from "./lib/command";
import { requireRun, stackView } from "./lib/stack-view";

const command = operatorCommand(
  "dashboard",
  "The workload's own dashboard, through an SSH tunnel to this machine. Ctrl-C ends it.",
).option("-p, --port <port>", "local port (default: a free one)", wholeNumber);

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; port?: number }>();
  const { dashboard, workspace, stack, access, run: plan } = requireRun(await stackView(options.stack));
  if (dashboard === undefined) {
    throw new CommandError(`The experiment of stack ${stack} has no dashboard.`, exitCodes.nothing);
  }
  const interrupted = new Promise((resolve) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
  const session = await SshSession.connect(access);
  try {
    const place = { dashboard, workspace, directory: plan.directory };
    const open = await openDashboard(session, place, options.port ?? 0);
    console.log(`${open.url}  (Ctrl-C ends it)`);
    await Promise.race([interrupted, open.ended]);
    await open.close();
    return exitCodes.ok;
  } finally {
    session.close();
  }
});
