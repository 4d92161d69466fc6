import { connect } from "node:net";
import { letCallerIn } from "../../lambda/account/caller-access";
import type { SshAccess } from "../../remote/types";
import { connectStack } from "./stack-cloud";
import type { StackView } from "./stack-view";

const patienceMs = 4_000;

/**
 * Sees that the way to the stack's instance is open: where sshd is silent, as behind a firewall, the firewall is opened
 * for this machine if its address has changed. It reports what keeps it closed; the connection then fails by itself.
 */
export async function openWay(view: Pick<StackView, "stack" | "access" | "instance" | "endpoint">): Promise<void> {
  const { access, instance, endpoint } = view;
  if (access === undefined || instance === undefined || !(await isSilent(access))) return;
  try {
    await letCallerIn(await connectStack(view), endpoint, instance.id, console.error);
  } catch (error) {
    console.error(`Couldn't check whether the firewall admits this machine: ${(error as Error).message}`);
  }
}

/** Whether nothing at all comes from sshd. One that refuses is not behind a firewall. */
function isSilent({ host, port }: SshAccess): Promise<boolean> {
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
