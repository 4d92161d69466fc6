import { Readable, type Writable } from "node:stream";
import { inspect } from "node:util";
import { type Connection, type ConnectOptions, dial } from "./ssh/dial";
import { type SshError, sshError } from "./ssh/error";
import { type Forward, openForward } from "./ssh/forward";
import { collect, type Exit, endOf, feed, type RunningCommand, tail, watchCommand } from "./ssh/process";
import { type LocalTerminal, runInTerminal } from "./ssh/terminal";
import { keepWindowOpen } from "./ssh/window";
import type { SshAccess } from "./types";

export { isRetryable, SshError } from "./ssh/error";
export type { Forward } from "./ssh/forward";
export type { LocalTerminal } from "./ssh/terminal";

/** How to run a command. */
export interface ExecOptions {
  /** What the command reads; without it standard input is closed at once. */
  readonly stdin?: string | Buffer | Readable;
  /** Seconds until the channel is closed and the call fails with kind `timeout`. Default: none. */
  readonly timeoutSeconds?: number;
  /** Most bytes kept of each of stdout and stderr (the last ones). Default 16 MiB; 0 keeps nothing. */
  readonly maxOutputBytes?: number;
  /** Closes the channel; the call rejects with the signal's reason. */
  readonly signal?: AbortSignal;
}

/** What a command left behind. */
export interface ExecResult {
  /** Exit status; 128 + the signal's number where a signal ended the command. */
  readonly code: number;
  readonly signal?: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** A running command with its streams. Read both outputs: an unread one stops the command. */
export interface RemoteProcess {
  readonly stdin: Writable;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** Resolves at the end of the command; rejects with kind `lost` where the connection ended first. */
  readonly exit: Promise<Exit>;
  /** Closes the channel without waiting. */
  kill(): void;
}

/** A command's end, which is near since its streams have ended; after a while it is no longer waited for. */
export async function endedSoon(remote: RemoteProcess): Promise<Exit> {
  const timer = setTimeout(() => remote.kill(), 30_000);
  try {
    return await remote.exit;
  } finally {
    clearTimeout(timer);
  }
}

/** The error for a command that ended with a status that it must not have; `output` is cut to its last lines. */
export function sshFailure(session: SshSession, code: number, what: string, output: string): SshError {
  const said = tail(output, 20);
  const message = `${what} failed on ${session.access.host} with status ${code}${said === "" ? "." : `:\n${said}`}`;
  return sshError(session.access, "exit", message, { code });
}

/** What a command printed that must have ended with 0. @throws SshError kind `exit` with the end of its output */
export function outputOf(session: SshSession, what: string, { code, stdout, stderr }: ExecResult): string {
  if (code !== 0) throw sshFailure(session, code, what, stderr.trim() === "" ? stdout : stderr);
  return stdout;
}

/**
 * One SSH connection to an instance. Its host key is checked against the stack's, probes notice a dead connection
 * within about a minute, and every failure is an {@link SshError}.
 */
export class SshSession {
  /** Shortest round trip to the instance that was seen so far, in milliseconds. */
  roundTripMs: number;

  private constructor(
    readonly access: SshAccess,
    private readonly connection: Connection,
  ) {
    this.roundTripMs = connection.roundTripMs;
  }

  /** Connects and logs in once, without a retry. */
  static async connect(access: SshAccess, options: ConnectOptions = {}): Promise<SshSession> {
    return new SshSession(access, await dial(access, options));
  }

  /** Resolves when the connection is over: with the error that ended it, or undefined after `close()`. */
  get ended(): Promise<SshError | undefined> {
    return this.connection.ended;
  }

  /** Runs a command to its end. A status other than 0 is a result, not an error. */
  async exec(command: string, options: ExecOptions = {}): Promise<ExecResult> {
    options.signal?.throwIfAborted();
    if (options.stdin instanceof Readable) {
      // It may fail while the channel is opened; `feed` tells of it then.
      options.stdin.on("error", () => {});
    }
    const running = await this.open(command);
    const { channel } = running;
    const limit = options.maxOutputBytes ?? 16 * 1024 * 1024;
    const stdout = collect(channel, limit);
    const stderr = collect(channel.stderr, limit);
    const { timeoutSeconds: seconds, signal } = options;
    const late = new AbortController();
    const timer =
      seconds === undefined ? undefined : setTimeout(() => late.abort(this.timeout(command, seconds)), seconds * 1000);
    const stop = signal === undefined ? late.signal : AbortSignal.any([late.signal, signal]);
    try {
      const exit = await endOf(running, feed(channel, options.stdin), stop);
      return { ...exit, stdout: stdout(), stderr: stderr() };
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a command that must end with 0 and returns its stdout; otherwise kind `exit` with the end of its output. */
  async run(command: string, what: string, options: ExecOptions = {}): Promise<string> {
    return outputOf(this, what, await this.exec(command, options));
  }

  /** Starts a command and gives its streams. */
  async stream(command: string): Promise<RemoteProcess> {
    const { channel, exit } = await this.open(command);
    return { stdin: channel, stdout: channel, stderr: channel.stderr, exit, kill: () => channel.close() };
  }

  /** Runs a command in a terminal that is joined to the local one: raw mode, colours, resizing. */
  async attach(command: string, terminal: LocalTerminal = process): Promise<Exit> {
    const { columns = 80, rows = 24 } = terminal.stdout;
    const pty = { term: process.env.TERM ?? "xterm-256color", cols: columns, rows, width: 0, height: 0 };
    const { channel, exit } = await this.open(command, { pty });
    return runInTerminal(channel, terminal, exit);
  }

  /** Listens on 127.0.0.1 (port 0: a free one) and carries each connection to the host and port seen from the instance. */
  forward(localPort: number, remoteHost: string, remotePort: number): Promise<Forward> {
    return openForward(this.connection.client, localPort, remoteHost, remotePort);
  }

  /** Ends the connection. Safe to call twice. */
  close(): void {
    this.connection.client.end();
  }

  private open(command: string, options: { pty?: object } = {}): Promise<RunningCommand> {
    return new Promise((resolve, reject) => {
      const asked = performance.now();
      try {
        this.connection.client.exec(command, options, (error, channel) => {
          if (error === undefined) {
            // One for the channel and one for the command.
            this.roundTripMs = Math.min(this.roundTripMs, (performance.now() - asked) / 2);
            keepWindowOpen(channel);
            resolve(watchCommand(channel, () => this.lost()));
          } else {
            reject(this.lost(error));
          }
        });
      } catch (error) {
        reject(this.lost(error));
      }
    });
  }

  /** Keeps the connection's private key out of what people print while they look for a fault. */
  [inspect.custom](): string {
    const { user, host, port } = this.access;
    return `SshSession ${user}@${host}:${port}`;
  }

  private lost(cause?: unknown): SshError {
    const { user, host, port } = this.access;
    const reason = cause instanceof Error ? `: ${cause.message}` : "";
    return sshError(this.access, "lost", `The SSH connection to ${user}@${host}:${port} was lost${reason}.`, { cause });
  }

  private timeout(command: string, seconds: number): SshError {
    const head = command.length > 80 ? `${command.slice(0, 80)}…` : command;
    const message = `A command on ${this.access.host} did not end within ${seconds} s: ${head}`;
    return sshError(this.access, "timeout", message);
  }
}

/** Runs `fn` on a connection of its own and closes it in any case. */
export async function withSession<T>(
  access: SshAccess,
  fn: (session: SshSession) => Promise<T>,
  options: ConnectOptions = {},
): Promise<T> {
  const session = await SshSession.connect(access, options);
  try {
    return await fn(session);
  } finally {
    session.close();
  }
}
