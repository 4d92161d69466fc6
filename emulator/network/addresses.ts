import { createHash } from "node:crypto";
import * as net from "node:net";
import type { Network } from "../state/model";

/** Ports tried for instances' sshd, best first: 22 takes privileges (or net.ipv4.ip_unprivileged_port_start). */
const sshPorts = [22, 2222, 22022, 32022, 42022];

/** Addresses of instances that have no machine: they are shown, and nothing listens on them. */
export const networkWithoutMachines = (): Network => ({
  subnet: "127.77.0",
  privateSubnet: "127.141.0",
  sshPort: 22,
  last: 1,
});

/** A network that is this cloud's alone, for as long as the socket that claims it is open. */
export interface ClaimedNetwork {
  readonly network: Network;
  readonly claim: net.Server;
}

/**
 * Finds loopback addresses for the instances of a cloud: `127.77.X.N`-like, one /24 of public and one of private
 * addresses, with a port for sshd that can be bound on each. Linux answers on all of 127.0.0.0/8. The first address of
 * the /24 is bound for as long as the cloud runs, so that two clouds never share a network.
 *
 * @param folder of the cloud: it decides where the search starts, so that a cloud finds its network again
 * @param kept network from an earlier run, taken again if it can be
 * @param mustKeep instances have addresses in the kept network: it is that or none
 * @throws Error where a network that must be kept is taken, or none is free
 */
export async function claimNetwork(
  folder: string,
  kept: Network | undefined,
  mustKeep: boolean,
): Promise<ClaimedNetwork> {
  if (kept) {
    const claim = await bind(`${kept.subnet}.1`, kept.sshPort);
    if (claim) return { network: kept, claim };
    if (mustKeep)
      throw new Error(
        `Port ${kept.sshPort} of ${kept.subnet}.1 is taken, so the instances' addresses cannot be used. Is another emulated cloud running from a copy of ${folder}? Stop what holds it, or erase this cloud with \`npm run cloud -- reset\`.`,
      );
  }
  const start = createHash("sha256").update(folder).digest().readUInt16BE(0);
  for (let i = 0; i < 64; i++) {
    const n = (start + i) % (64 * 256);
    const [a, b] = [64 + (n >> 8), n & 255];
    for (const sshPort of sshPorts) {
      const claim = await bind(`127.${a}.${b}.1`, sshPort);
      if (!claim) continue;
      const network = { subnet: `127.${a}.${b}`, privateSubnet: `127.${a + 64}.${b}`, sshPort, last: 1 };
      return { network, claim };
    }
  }
  throw new Error("No loopback network is free for instances. Stop emulated clouds that are no longer needed.");
}

function bind(host: string, port: number): Promise<net.Server | undefined> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once("error", () => resolve(undefined));
    server.listen({ host, port, exclusive: true }, () => resolve(server.unref()));
  });
}

/**
 * The next free address of a network.
 *
 * @param taken public addresses in use
 * @returns undefined where all 253 are in use
 */
export function nextAddress(
  network: Network,
  taken: ReadonlySet<string>,
): { ip: string; privateIp: string } | undefined {
  for (let i = 1; i <= 253; i++) {
    // Numbers 2 to 254.
    const last = ((network.last - 2 + i) % 253) + 2;
    const ip = `${network.subnet}.${last}`;
    if (taken.has(ip)) continue;
    network.last = last;
    return { ip, privateIp: `${network.privateSubnet}.${last}` };
  }
  return undefined;
}
