import { createHash } from "node:crypto";
import * as net from "node:net";
import type { Network } from "../state/model";

/** Ports tried for instances' sshd, best first: 22 takes privileges (or net.ipv4.ip_unprivileged_port_start). */
const sshPorts = [22, 2222, 22022, 32022, 42022];

/** Port of each instance's own sshd, behind the relay. A cloud claims its network by holding it on the first address. */
export const innerSshPort = 60022;

/** Addresses of instances that have no machine: they are shown, and nothing listens on them. */
export const networkWithoutMachines = (): Network => sharing(networkAt(63, 0, 22));

const networkAt = (a: number, b: number, sshPort: number): Network => ({
  subnet: `127.${a}.${b}`,
  privateSubnet: `172.27.${b}`,
  sshPort,
  last: 1,
});

/** The same network for instances that share this machine's: their private addresses are loopback addresses too. */
export function sharing(network: Network): Network {
  const [, a, b] = network.subnet.split(".");
  return { ...network, privateSubnet: `127.${Number(a) + 64}.${b}` };
}

/** Whether the private addresses of a network are those of instances that share this machine's. */
export const isShared = ({ privateSubnet }: Network): boolean => privateSubnet.startsWith("127.");

/** A network that is this cloud's alone, for as long as the socket that claims it is open. */
export interface ClaimedNetwork {
  readonly network: Network;
  readonly claim: net.Server;
}

/**
 * Finds loopback addresses for the instances of a cloud: one /24 of public and one of private addresses, with a port
 * for sshd that can be bound on each. (Linux answers on all of 127.0.0.0/8.)
 *
 * @param folder of the cloud: it decides where the search starts, so that a cloud finds its network again
 * @param kept network of instances that there are already: it is that or none
 * @throws Error where the kept network is taken, or none is free
 */
export async function claimNetwork(folder: string, kept: Network | undefined): Promise<ClaimedNetwork> {
  if (kept) {
    const claim = await claimAt(kept.subnet);
    const reason = claim ? await cannotBind(kept) : "another emulated cloud holds it";
    if (claim && !reason) return { network: kept, claim };
    claim?.close();
    throw new Error(
      `The instances' network ${kept.subnet}.0/24 cannot be used: ${reason}. Stop what is in the way, or erase this cloud with \`npm run cloud -- reset\`.`,
    );
  }
  const start = createHash("sha256").update(folder).digest().readUInt16BE(0);
  for (let i = 0; i < 64; i++) {
    const n = (start + i) % (64 * 256);
    const [a, b] = [64 + (n >> 8), n & 255];
    const claim = await claimAt(`127.${a}.${b}`);
    if (!claim) continue;
    for (const sshPort of sshPorts) {
      const network = networkAt(a, b, sshPort);
      if (!(await cannotBind(network))) return { network, claim };
    }
    claim.close();
  }
  throw new Error("No loopback network is free for instances. Stop emulated clouds that are no longer needed.");
}

const claimAt = async (subnet: string): Promise<net.Server | undefined> => {
  const server = await bind(`${subnet}.1`, innerSshPort);
  return server instanceof Error ? undefined : server;
};

/** Why sshd's port cannot be bound on a network's addresses; undefined where it can. */
async function cannotBind({ subnet, sshPort }: Network): Promise<string | undefined> {
  const server = await bind(`${subnet}.1`, sshPort);
  if (server instanceof Error) return server.message;
  server.close();
  return undefined;
}

function bind(host: string, port: number): Promise<net.Server | Error> {
  return new Promise((resolve) => {
    const server = net.createServer((socket) => socket.destroy());
    server.once("error", resolve);
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
