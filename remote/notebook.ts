import { ensureScripts } from "./bundle";
import { shellQuote } from "./quote";
import { type SshSession, sshFailure } from "./session";

/** A Jupyter that runs on the instance. `token` is secret. */
export interface Notebook {
  /** On the instance's loopback address. */
  readonly port: number;
  readonly token: string;
  /** Path of its page. */
  readonly path: string;
}

const noJupyter = 66;
const nothingToStop = 3;
const files = ["lib.sh", "notebook.sh"] as const;

/** Starts Jupyter in a folder, relative to the home folder, or finds it going. undefined: there is no Jupyter. */
export async function startNotebook(session: SshSession, folder: string): Promise<Notebook | undefined> {
  const scripts = await ensureScripts(session, files);
  const command = `bash ${scripts}/notebook.sh start ${shellQuote(folder)}`;
  const { code, stdout, stderr } = await session.exec(command, { timeoutSeconds: 120 });
  if (code === noJupyter) return undefined;
  const match = /^(\d+) ([0-9a-f]{48}) ([a-z]+)$/.exec(stdout.trim());
  if (code !== 0 || match === null) throw sshFailure(session, code, "Starting Jupyter", stderr);
  const [, port, token = "", path = ""] = match;
  return { port: Number(port), token, path };
}

/** Stops it. Gives whether there was one. */
export async function stopNotebook(session: SshSession): Promise<boolean> {
  const scripts = await ensureScripts(session, files);
  const { code, stderr } = await session.exec(`bash ${scripts}/notebook.sh stop`, { timeoutSeconds: 60 });
  if (code !== 0 && code !== nothingToStop) throw sshFailure(session, code, "Stopping Jupyter", stderr);
  return code === 0;
}
