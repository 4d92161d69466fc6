declare module "ssh2/lib/Channel" {
  import type { ClientChannel } from "ssh2";

  /** Bytes that a channel may receive before it grants more. */
  export const MAX_WINDOW: number;
  /** Grants what is missing of that. */
  export function windowAdjust(channel: ClientChannel): void;
}
