import { posix } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type Notebook, startNotebook, stopNotebook } from "../remote/notebook";
import { type Forward, isRetryable, SshSession, withSession } from "../remote/session";
import { withRetries } from "../remote/transfer/retry";
import { stackView } from "./stack/read";
import { secretsFor } from "./stack/secrets";
import { type Choice, requireRun, type WithRun } from "./stack/stack-view";
import { CommandError, choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";

const description =
  "Starts Jupyter on the instance, in the workload's folder and environment, and opens an SSH tunnel to it. Ctrl-C closes " +
  "the tunnel; Jupyter keeps running until --stop or `down`.";

const command = choosingCommand("notebook", description)
  .option("-p, --port <port>", "local port (default: a free one)", wholeNumber)
  .option("--stop", "stop Jupyter on the instance");

const longestPauseSeconds = 10;

run(async () => {
  command.parse();
  const options = command.opts<Choice & { stack?: string; port?: number; stop?: boolean }>();
  const { stack, port = 0, stop } = options;
  const view = requireRun(await stackView(stack), options);
  if (stop === true) {
    const stopped = await withSession(view.access, stopNotebook);
    console.log(stopped ? "Stopped Jupyter." : "This command's Jupyter isn't running on the instance.");
    return stopped ? exitCodes.ok : exitCodes.nothing;
  }
  const ended = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.once(signal, () => ended.abort());
  const notebook = await start(view);
  await keepTunnel(view, notebook, port, ended.signal);
  return exitCodes.ok;
});

async function start({ access, workspace, run: plan, stack }: WithRun): Promise<Notebook> {
  const folder = posix.join(workspace, plan.directory);
  const secrets = await secretsFor(stack, plan);
  const notebook = await withRetries(access, (session) => startNotebook(session, folder, secrets), { attempts: 3 });
  if (notebook !== undefined) return notebook;
  throw new CommandError(
    "The workload's environment has no Jupyter. Add jupyterlab to its requirements, or install it on this " +
      `instance: npm run exec -- --stack ${stack} -- python -m pip install jupyterlab`,
    exitCodes.nothing,
  );
}

/** Keeps the local port open until `ended`; a lost connection is made again and the port stays the same. */
async function keepTunnel({ access }: WithRun, notebook: Notebook, wanted: number, ended: AbortSignal): Promise<void> {
  const { token, path, port: remotePort } = notebook;
  let port = wanted;
  let told = false;
  let pause = 1;
  while (!ended.aborted) {
    let session: SshSession | undefined;
    let tunnel: Forward | undefined;
    try {
      session = await SshSession.connect(access, { signal: ended, keepaliveSeconds: 5 });
      tunnel = await session.forward(port, "127.0.0.1", remotePort);
      port = tunnel.port;
      pause = 1;
      console.log(
        told ? "Connected again." : `http://127.0.0.1:${port}/${path}?token=${token}  (Ctrl-C ends the tunnel)`,
      );
      told = true;
      const lost = await Promise.race([session.ended, aborted(ended)]);
      if (lost !== undefined) console.error(lost.message);
    } catch (error) {
      if (ended.aborted) return;
      if (!isRetryable(error)) throw error;
      console.error((error as Error).message);
    } finally {
      await tunnel?.close();
      session?.close();
    }
    await sleep(pause * 1000, undefined, { signal: ended }).catch(() => {});
    pause = Math.min(pause * 2, longestPauseSeconds);
  }
}

function aborted(signal: AbortSignal): Promise<undefined> {
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(undefined), { once: true }));
}
