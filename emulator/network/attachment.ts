import * as net from "node:net";
import { innerSshPort } from "./addresses";

/** How a machine takes part in the network. */
export interface Attachment {
  /** Where its sshd listens: `address:port`, as seen from inside. */
  readonly sshAddresses: readonly string[];
  /** Its /etc/resolv.conf. Undefined: as it is on its disk. */
  readonly resolver?: string;
  /** Its own network namespace. Undefined: it shares this machine's. */
  readonly namespace?: MachineNamespace;
  /**
   * Opens a connection to its sshd.
   *
   * @param source address of the caller, which the machine sees where it shares the network
   */
  connect(source: string): Promise<net.Socket>;
}

export interface MachineNamespace {
  /** The command that starts the sandbox, run with the right to join its namespace. */
  wrap(command: readonly string[]): string[];
  /** Joins the namespace of a sandbox's first process. The sandbox waits for it. */
  join(pid: number): Promise<void>;
  /** Takes away what `join` made, once the sandbox has ended. */
  leave(): Promise<void>;
}

/** A machine that shares this machine's network, with an address of 127.0.0.0/8. */
export const sharedAttachment = (ip: string): Attachment => ({
  sshAddresses: [`${ip}:${innerSshPort}`],
  connect: (source) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host: ip, port: innerSshPort, localAddress: source, allowHalfOpen: true });
      socket.once("error", reject);
      socket.once("connect", () => resolve(socket.off("error", reject)));
    }),
});
