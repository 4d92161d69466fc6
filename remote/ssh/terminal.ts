import type { ReadStream, WriteStream } from "node:tty";
import type { ClientChannel } from "ssh2";
import type { Exit } from "./process";

/** The local terminal: `process` has this shape. */
export interface LocalTerminal {
  readonly stdin: Pick<ReadStream, "on" | "off" | "resume" | "pause"> &
    Partial<Pick<ReadStream, "isTTY" | "setRawMode">>;
  readonly stdout: Pick<WriteStream, "write" | "on" | "off"> & Partial<Pick<WriteStream, "columns" | "rows">>;
}

/** Joins a channel with a terminal to the local one until the command ends; the local terminal is restored in any case. */
export async function runInTerminal(
  channel: ClientChannel,
  terminal: LocalTerminal,
  exit: Promise<Exit>,
): Promise<Exit> {
  const { stdin, stdout } = terminal;
  const raw = stdin.isTTY === true;
  const keys = (chunk: Buffer): void => {
    channel.write(chunk);
  };
  const hungUp = (): void => {
    channel.end();
  };
  const resized = (): void => channel.setWindow(stdout.rows ?? 24, stdout.columns ?? 80, 0, 0);
  const show = (chunk: Buffer): void => {
    stdout.write(chunk);
  };
  channel.on("data", show);
  channel.stderr.on("data", show);
  stdin.on("data", keys);
  stdin.on("end", hungUp);
  stdout.on("resize", resized);
  // It may have been resized while the channel was opened.
  resized();
  try {
    if (raw) {
      stdin.setRawMode?.(true);
    }
    stdin.resume();
    return await exit;
  } finally {
    stdout.off("resize", resized);
    stdin.off("data", keys);
    stdin.off("end", hungUp);
    if (raw) {
      stdin.setRawMode?.(false);
    }
    stdin.pause();
  }
}
