import type { DashboardPlan } from "../plan/types";
import { startAgent } from "./agent";
import { shellQuote } from "./quote";
import type { SshSession } from "./session";

/** Where the workload and its dashboard are. */
export interface DashboardPlace {
  readonly dashboard: DashboardPlan;
  /** Folder of the workload on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Folder in it in which commands run. */
  readonly directory: string;
}

/** A dashboard that listens, reached by a tunnel that is bound to this machine's loopback address alone. */
export interface OpenDashboard {
  readonly url: string;
  /** Resolves when the dashboard or the connection has ended by itself. */
  readonly ended: Promise<unknown>;
  /** Ends dashboard and tunnel. */
  close(): Promise<void>;
}

/** Seconds that a dashboard may take to listen. */
const startTimeout = 60;

/** What a dashboard says is kept for the error message, up to this many characters. */
const keptOutput = 2000;

/**
 * Starts the workload's dashboard and opens a tunnel to it. One that listens already is used as it is.
 * @param localPort Port on 127.0.0.1; 0 for a free one.
 * @throws Error with the end of its output where it does not come to listen.
 */
export async function openDashboard(
  session: SshSession,
  place: DashboardPlace,
  localPort: number,
): Promise<OpenDashboard> {
  const { port } = place.dashboard;
  const running = (await listens(session, port, 0)) ? undefined : await start(session, place);
  const tunnel = await session.forward(localPort, "127.0.0.1", port);
  return {
    url: `http://127.0.0.1:${tunnel.port}`,
    ended: Promise.race([session.ended, ...(running === undefined ? [] : [running.exit])]),
    close: async () => {
      await tunnel.close();
      running?.stdin.end();
      await running?.exit.catch(() => {});
    },
  };
}

async function start(session: SshSession, { dashboard, workspace, directory }: DashboardPlace) {
  const { command, port } = dashboard;
  if (command === undefined) {
    throw new Error(
      `Nothing listens on port ${port} of the instance. Ray serves its dashboard there while training goes on, if the ` +
        "environment has ray[default].",
    );
  }
  const running = await startAgent(session, { verb: "dashboard", document: { workspace, directory, command, port } });
  let output = "";
  const keep = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-keptOutput);
  };
  running.stdout.on("data", keep);
  running.stderr.on("data", keep);
  const ended = running.exit.then(() => false);
  if (await Promise.race([ended, listens(session, dashboard.port, startTimeout)])) return running;
  running.kill();
  throw new Error(
    `\`${command}\` does not listen on port ${dashboard.port} of the instance (dashboard.port). It says:\n${output.trim()}`,
  );
}

/** Whether something listens on a port of the instance, now or within some seconds. */
async function listens(session: SshSession, port: number, seconds: number): Promise<boolean> {
  const probe = `for _ in $(seq ${seconds * 2 + 1}); do (exec 3<>/dev/tcp/127.0.0.1/${port}) 2>/dev/null && exit 0; sleep 0.5; done; exit 1`;
  return (await session.exec(`bash -c ${shellQuote(probe)}`)).code === 0;
}
