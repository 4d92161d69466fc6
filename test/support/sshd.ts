import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { chmod, chown, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { newEd25519 } from "../../lambda/account/ed25519";
import type { SshAccess } from "../../remote/types";

/** A private sshd of this test: own port, own host key, own home folder. */
export interface TestSshd {
  readonly access: SshAccess;
  /** Home folder of those who log in. */
  readonly home: string;
  /** Where the disk of the instance begins that this stands for. */
  readonly disk: string;
  /** Programs in this folder come first on PATH of those who log in. */
  readonly bin: string;
  /** What sshd wrote to its log so far. */
  log(): string;
  /** Ends sshd (connections too) and waits; the home folder stays and `restart` brings it back on the same port. */
  halt(): Promise<void>;
  restart(): Promise<void>;
  /** Ends sshd and every process that was started by a login, and deletes everything. */
  stop(): Promise<void>;
}

const daemon = "/usr/sbin/sshd";

/**
 * Starts an sshd on 127.0.0.1 for the current user.
 * @param options `env`: further variables of the logins; `uid`: user that those who log in become, where this one is root.
 */
export async function startSshd(options: { env?: Record<string, string>; uid?: number } = {}): Promise<TestSshd> {
  if (!existsSync(daemon)) {
    throw new Error("These tests need OpenSSH's server: apt-get install openssh-server");
  }
  if (process.getuid?.() === 0) {
    // Where sshd runs as root it insists on this empty folder.
    await mkdir("/run/sshd", { recursive: true, mode: 0o755 });
  }
  const root = await mkdtemp(join(tmpdir(), "lambda-train-sshd-"));
  const home = join(root, "home");
  const bin = join(root, "bin");
  const tmux = join(root, "tmux");
  const disk = join(root, "disk");
  await Promise.all([home, bin, tmux, disk].map((folder) => mkdir(folder, { mode: 0o700 })));
  const hostKey = newEd25519();
  const clientKey = newEd25519();
  await writeFile(join(root, "host_key"), hostKey.privateKey, { mode: 0o600 });
  await writeFile(join(root, "authorized_keys"), `${clientKey.publicKey}\n`, { mode: 0o600 });
  const env = {
    HOME: home,
    LC_ALL: "C.UTF-8",
    TMUX_TMPDIR: tmux,
    // What others do on this machine is none of its own.
    LAMBDA_TRAIN_DISK: disk,
    PATH: `${bin}:/usr/local/bin:/usr/bin:/bin`,
    ...options.env,
  };
  await writeFile(join(root, "login.sh"), loginScript(options.uid), { mode: 0o755 });
  if (options.uid !== undefined) {
    await chmod(root, 0o711);
    await chmod(bin, 0o755);
    for (const folder of [home, tmux, disk]) await chown(folder, options.uid, options.uid);
  }
  let log = "";
  let child: ChildProcess | undefined;

  const start = async (): Promise<void> => {
    log = "";
    const sshd = spawn(daemon, ["-D", "-e", "-f", join(root, "sshd_config")], { stdio: ["ignore", "ignore", "pipe"] });
    sshd.stderr.on("data", (chunk: Buffer) => {
      log += chunk.toString();
    });
    child = sshd;
    for (let tries = 0; !log.includes("Server listening"); tries++) {
      if (tries > 200 || sshd.exitCode !== null) {
        throw new Error(`sshd did not start:\n${log}`);
      }
      await sleep(25);
    }
  };
  const halt = async (): Promise<void> => {
    const sshd = child;
    child = undefined;
    if (sshd?.pid !== undefined && sshd.exitCode === null) {
      const connections = await childrenOf(sshd.pid);
      const ended = new Promise((resolve) => sshd.once("exit", resolve));
      sshd.kill("SIGKILL");
      await ended;
      kill(connections);
    }
  };
  let port = 0;
  for (let tries = 1; port === 0; tries++) {
    const free = await freePort();
    await writeFile(join(root, "sshd_config"), sshdConfig(root, free, env));
    await start().then(
      () => {
        port = free;
      },
      (error: Error) => {
        // Somebody else has taken it meanwhile.
        if (tries === 5 || !error.message.includes("Address already in use")) throw error;
      },
    );
  }
  return {
    access: {
      host: "127.0.0.1",
      port,
      user: userInfo().username,
      privateKey: clientKey.privateKey,
      hostKey: hostKey.publicKey,
    },
    home,
    disk,
    bin,
    log: () => log,
    halt,
    restart: start,
    stop: async () => {
      await halt();
      // Runs and tmux servers are detached on purpose: they are told by the home folder they were started with.
      for (let tries = 0; tries < 20; tries++) {
        const left = await processesWith(`HOME=${home}`);
        if (left.length === 0) {
          break;
        }
        kill(left);
        await sleep(25);
      }
      await rm(root, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

function sshdConfig(root: string, port: number, env: Record<string, string>): string {
  const variables = Object.entries(env).map(([name, value]) => `"${name}=${value}"`);
  return [
    "ListenAddress 127.0.0.1",
    `Port ${port}`,
    `HostKey ${join(root, "host_key")}`,
    `AuthorizedKeysFile ${join(root, "authorized_keys")}`,
    "PasswordAuthentication no",
    "KbdInteractiveAuthentication no",
    "PermitRootLogin prohibit-password",
    "PermitUserEnvironment no",
    "StrictModes no",
    "UsePAM no",
    "PidFile none",
    "PrintMotd no",
    "MaxSessions 50",
    "MaxStartups 100",
    "Subsystem sftp internal-sftp",
    `ForceCommand ${join(root, "login.sh")}`,
    `SetEnv ${variables.join(" ")}`,
    "",
  ].join("\n");
}

/** sshd starts commands in the account's real home: this moves them to the test's. */
function loginScript(uid?: number): string {
  const drop = `setpriv --reuid=${uid} --regid=${uid} --clear-groups`;
  return [
    "#!/bin/bash",
    ...(uid === undefined ? [] : [`[ "$EUID" = ${uid} ] || exec ${drop} "$0"`]),
    'cd "$HOME" || exit 1',
    '[ -z "$SSH_ORIGINAL_COMMAND" ] && exec /bin/bash -l',
    'exec /bin/bash -c "$SSH_ORIGINAL_COMMAND"',
    "",
  ].join("\n");
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}

/** Process ids whose environment holds exactly this `NAME=value`. */
export async function processesWith(variable: string): Promise<number[]> {
  const found: number[] = [];
  for (const pid of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const environment = await readFile(`/proc/${pid}/environ`, "utf8").catch(() => "");
    if (environment.split("\0").includes(variable)) {
      found.push(Number(pid));
    }
  }
  return found;
}

/** The sshd processes that carry connections (two each where privileges are separated). */
async function childrenOf(parent: number): Promise<number[]> {
  const listed = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8").catch(() => "");
  const direct = listed
    .split(" ")
    .filter((pid) => pid !== "")
    .map(Number);
  const below = await Promise.all(direct.map(childrenOf));
  // Only sshd's own processes: the commands below them must live on, as they do when a real connection breaks.
  const all = [...direct, ...below.flat()];
  const names = await Promise.all(all.map((pid) => readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")));
  return all.filter((_, index) => names[index]?.startsWith("sshd"));
}

function kill(pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It has ended by itself.
    }
  }
}
