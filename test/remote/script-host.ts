import { chown, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach } from "vitest";
import { askAgent, ensureAgent } from "../../remote/agent";
import { type ExecResult, SshSession } from "../../remote/session";
import { startSshd, type TestSshd } from "../support/sshd";

/** An instance to which calls are sent; its home is empty but for the agent and the workspace `work` before each test. */
export interface ScriptHost {
  readonly sshd: TestSshd;
  readonly session: SshSession;
  /** A path in the home there. */
  home(...parts: string[]): string;
  /** The text of a file in the home there. */
  text(...parts: string[]): Promise<string>;
  /** Runs a rendered call as the stack's commands do: through bash's standard input. */
  send(script: string, through?: SshSession): Promise<ExecResult>;
  /** Calls a verb of the agent. */
  ask(verb: string, document?: object): Promise<ExecResult>;
}

/** Starts the instance before the tests of the calling file, and ends it after them. `options`: see {@link startSshd}. */
export function useScriptHost(options: Parameters<typeof startSshd>[0] = {}): ScriptHost {
  let sshd: TestSshd;
  let session: SshSession;

  beforeAll(async () => {
    sshd = await startSshd(options);
    session = await SshSession.connect(sshd.access);
    await ensureAgent(session);
  });
  afterAll(async () => {
    session?.close();
    await sshd?.stop();
  });
  beforeEach(async () => {
    for (const name of await readdir(sshd.home, { recursive: true })) {
      if (!/^\.lambda-train(\/agent(\/|$)|$)/.test(name))
        await rm(join(sshd.home, name), { recursive: true, force: true });
    }
    await mkdir(join(sshd.home, "work"));
    if (options.uid !== undefined) await chown(join(sshd.home, "work"), options.uid, options.uid);
  });

  const home = (...parts: string[]): string => join(sshd.home, ...parts);
  return {
    get sshd() {
      return sshd;
    },
    get session() {
      return session;
    },
    home,
    text: (...parts) => readFile(home(...parts), "utf8"),
    ask: (verb, document = {}) => askAgent(session, { verb, document }, { timeoutSeconds: 60 }),
    send: (stdin, through = session) => through.exec("bash -s", { stdin, timeoutSeconds: 60 }),
  };
}
