import { connect } from "node:net";

const probeTimeoutMs = 5_000;
const probes = 3;

/** Where the engine that started this process listens; undefined where no engine did. */
export function engineAddress(
  args: readonly string[] = process.argv,
): { readonly host: string; readonly port: string } | undefined {
  const [, host, port] = /^(?:tcp:\/\/)?\[?([^\]/]+?)\]?:(\d+)$/.exec(args.at(-1) ?? "") ?? [];
  return host === undefined || port === undefined ? undefined : { host, port };
}

/**
 * Whether the engine that started this process still listens. Its address is the last argument of the provider
 * process. A process without such an argument (an operator command, a test) has no engine that could be gone.
 *
 * Silence alone is no proof: this process itself may have been busy, or the whole machine asleep, while the time ran
 * out. Only an engine that is silent again and again counts as gone.
 */
export async function engineAlive(args: readonly string[] = process.argv): Promise<boolean> {
  const address = engineAddress(args);
  if (address === undefined) return true;
  for (let left = probes; left > 0; left -= 1) {
    const answer = await probe(address.host, Number(address.port));
    if (answer !== "silence") return answer === "alive";
  }
  return false;
}

function probe(host: string, port: number): Promise<"alive" | "gone" | "silence"> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const answer = (result: "alive" | "gone" | "silence"): void => {
      socket.destroy();
      resolve(result);
    };
    socket.setTimeout(probeTimeoutMs, () => answer("silence"));
    socket.once("connect", () => answer("alive"));
    socket.once("error", () => answer("gone"));
  });
}
