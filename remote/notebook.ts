import { z } from "zod";
import { askAgent } from "./agent";
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
const place = z.object({
  port: z.number(),
  token: z.string().regex(/^[0-9a-f]{48}$/),
  path: z.string().regex(/^[a-z]+$/),
});

/**
 * Starts Jupyter in a folder, relative to the home folder, or finds it going. undefined: there is no Jupyter.
 * @param secrets Values of the secrets that one which starts now has as variables, by name.
 */
export async function startNotebook(
  session: SshSession,
  folder: string,
  secrets: Readonly<Record<string, string>> = {},
): Promise<Notebook | undefined> {
  const call = { verb: "notebook-start", document: { folder, secrets } };
  const { code, stdout, stderr } = await askAgent(session, call, { timeoutSeconds: 120 });
  if (code === noJupyter) return undefined;
  if (code !== 0) throw sshFailure(session, code, "Starting Jupyter", stderr);
  return place.parse(JSON.parse(stdout));
}

/** Stops it. Gives whether there was one. */
export async function stopNotebook(session: SshSession): Promise<boolean> {
  const { code, stderr } = await askAgent(session, { verb: "notebook-stop", document: {} }, { timeoutSeconds: 60 });
  if (code !== 0 && code !== nothingToStop) throw sshFailure(session, code, "Stopping Jupyter", stderr);
  return code === 0;
}
