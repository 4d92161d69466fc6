import type { ClientChannel } from "ssh2";

/** Bytes that a channel carries before more are granted: ssh2's constant, and OpenSSH's. */
export const windowBytes = 2 << 20;
const grantBytes = 256 * 1024;

/** Parts of ssh2's channel that its types leave out. */
interface Inner {
  readonly incoming: { window: number };
  readonly outgoing: { readonly id: number; readonly state: string };
  readonly _client: {
    readonly _protocol: { readonly channelWindowAdjust: (id: number, bytes: number) => void };
  };
}

/**
 * Lets the other side send on before half of the window is used up. ssh2 waits for just that, and then all that is on a
 * long line has used up less than half of the new one: a download has half of the speed that its window would allow.
 */
export function keepWindowOpen(channel: ClientChannel): void {
  const { incoming, outgoing, _client: client } = channel as unknown as Inner;
  const push = channel.push.bind(channel);
  channel.push = (chunk: Buffer | null, encoding) => {
    const more = push(chunk, encoding);
    const used = windowBytes - incoming.window;
    if (more && chunk !== null && used >= grantBytes && outgoing.state !== "closed") {
      incoming.window += used;
      client._protocol.channelWindowAdjust(outgoing.id, used);
    }
    return more;
  };
}
