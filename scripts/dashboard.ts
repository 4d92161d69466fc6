import { shellQuote } from "../remote/quote";
import { SshSession } from "../remote/session";
import { CommandError, exitCodes, operatorCommand, run, wholeNumber } from "./lib/command";
import { requireRun, stackView } from "./lib/stack-view";

const command = operatorCommand(
  "dashboard",
  "The workload's own dashboard, through an SSH tunnel to this machine. Ctrl-C ends it.",
).option("-p, --port <port>", "local port (default: a free one)", wholeNumber);

/** Seconds that a dashboard may take to listen. */
const startTimeout = 60;

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; port?: number }>();
  const view = requireRun(await stackView(options.stack));
  const { dashboard, workspace, stack } = view;
  if (dashboard === undefined)
    throw new CommandError(`The experiment of stack ${stack} has no dashboard.`, exitCodes.nothing);
  const session = await SshSession.connect(view.access);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  process.once("SIGTERM", () => stop.abort());
  try {
    const folder = shellQuote(`${workspace}/${view.run.directory}`);
    const start = `cd ${folder} && if [ -f ~/.lambda-train/env.sh ]; then . ~/.lambda-train/env.sh; fi; PORT=${dashboard.port} exec bash -c ${shellQuote(dashboard.command)}`;
    const running = await session.stream(start);
    let output = "";
    running.stdout.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-2000)));
    running.stderr.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-2000)));
    const ended = running.exit.then(({ code }) => code);
    const listening = await Promise.race([ended.then(() => false), listens(session, dashboard.port)]);
    if (!listening)
      throw new CommandError(`The dashboard does not listen on port ${dashboard.port}. It says:\n${output.trim()}`);
    const tunnel = await session.forward(options.port ?? 0, "127.0.0.1", dashboard.port);
    console.log(`http://127.0.0.1:${tunnel.port}  (Ctrl-C ends it)`);
    await Promise.race([ended, new Promise((done) => stop.signal.addEventListener("abort", done)), session.ended]);
    running.kill();
    await tunnel.close();
    return exitCodes.ok;
  } finally {
    session.close();
  }
});

/** Whether something listens on a port of the instance within the time given. */
async function listens(session: SshSession, port: number): Promise<boolean> {
  const probe = `for i in $(seq ${startTimeout * 2}); do (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && exit 0; sleep 0.5; done; exit 1`;
  return (await session.exec(`bash -c ${shellQuote(probe)}`)).code === 0;
}
