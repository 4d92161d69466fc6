import { connect } from "node:net";

const probeTimeoutMs = 5_000;

/**
 * Whether the engine that started this process still listens. Its address is the last argument of the provider
 * process. A process without such an argument (an operator command, a test) has no engine that could be gone.
 */
export async function engineAlive(args: readonly string[] = process.argv): Promise<boolean> {
  const address = /^(?:tcp:\/\/)?\[?([^\]/]+?)\]?:(\d+)$/.exec(args.at(-1) ?? "");
  const [, host, port] = address ?? [];
  if (host === undefined || port === undefined) return true;
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) });
    const answer = (alive: boolean): void => {
      socket.destroy();
      resolve(alive);
    };
    socket.setTimeout(probeTimeoutMs, () => answer(false));
    socket.once("connect", () => answer(true));
    socket.once("error", () => answer(false));
  });
}
