import { connect } from "node:net";
import type { Cloud } from "../api/connect";
import { letCallerIn } from "./caller-access";

const patienceMs = 4_000;

/** Where an instance's sshd listens. */
interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Sees that the way to an instance is open: where sshd is silent, as behind a firewall, the firewall is opened for this
 * machine if its address has changed. It reports what keeps it closed; the connection then fails by itself.
 */
export async function openWay(
  instance: { readonly id: string; readonly access: Address; readonly endpoint?: string },
  cloud: () => Cloud | Promise<Cloud>,
  tell: (message: string) => void,
): Promise<void> {
  if (!(await isSilent(instance.access))) return;
  try {
    await letCallerIn(await cloud(), instance.endpoint, instance.id, tell);
  } catch (error) {
    tell(`Couldn't check whether the firewall admits this machine: ${(error as Error).message}`);
  }
}

/** Whether nothing at all comes from sshd. One that refuses is not behind a firewall. */
function isSilent({ host, port }: Address): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host, port });
    const settle = (silent: boolean): void => {
      socket.destroy();
      resolve(silent);
    };
    socket.setTimeout(patienceMs, () => settle(true));
    socket.once("data", () => settle(false));
    socket.once("error", () => settle(false));
    socket.once("close", () => settle(false));
  });
}
