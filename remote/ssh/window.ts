import type { ClientChannel } from "ssh2";
// ssh2's types leave its parts out.
import { MAX_WINDOW, windowAdjust } from "ssh2/lib/Channel";

const grantBytes = 256 * 1024;

/**
 * Lets the other side send on before half of the window is used up. ssh2 waits for just that, and then all that is on a
 * long line has used up less than half of the new one: a download has half of the speed that its window would allow.
 */
export function keepWindowOpen(channel: ClientChannel): void {
  const { incoming } = channel as unknown as { readonly incoming: { readonly window: number } };
  const push = channel.push.bind(channel);
  channel.push = (chunk: Buffer | null, encoding) => {
    const more = push(chunk, encoding);
    if (more && chunk !== null && MAX_WINDOW - incoming.window >= grantBytes) windowAdjust(channel);
    return more;
  };
}
