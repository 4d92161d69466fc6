import type { CloudState, FirewallRule, InstanceRecord } from "../../state/model";
import { isIn, mostRules, openRegion, toNumber } from "../firewall";
import type { AddressPlan } from "./plan";

/** Instances of one region with the same rulesets: what one lets in, the others do. */
interface Group {
  readonly region: string;
  readonly rulesetIds: readonly string[];
  /** Last numbers of their addresses. */
  readonly members: number[];
}

/**
 * The router's firewall, for nftables. Instances of one region reach each other by their private addresses, and all
 * by their public ones: each where its rules let the sender in, by the address at which it is seen. The way out is open
 * to all. What no rule allows is dropped, and who is in stays in.
 *
 * @param hostPorts at which the router answers for the host
 * @param sshPort at which the host listens for instances: among them it is port 22 too
 */
export function routerRules(state: CloudState, plan: AddressPlan, hostPorts: readonly number[]): string {
  const groups = groupsOf(state);
  const { sshPort } = state.network;
  const chains = groups.map((group, index) => {
    const rules = rulesOf(state, group);
    const isOpen = group.region === openRegion;
    const members = groups.filter(({ region }) => region === group.region).flatMap((one) => one.members);
    const privately = rules.flatMap((rule) => statements(rule, rule.source_network, sshPort));
    const publicly = rules.flatMap((rule) => {
      const source = asAlias(rule.source_network, plan);
      return source === undefined ? [] : statements(rule, source, sshPort);
    });
    const neighbours = `ip saddr != { ${members.map((n) => `${plan.private}.${n}`).join(", ")} } drop`;
    return `${chain(`private_${index}`, [neighbours, ...(isOpen ? ["accept"] : privately), "drop"])}
${chain(`public_${index}`, [...(isOpen ? ["accept"] : publicly), "drop"])}
`;
  });
  const verdicts = (subnet: string, name: string): string =>
    groups.flatMap(({ members }, index) => members.map((n) => `${subnet}.${n} : goto ${name}_${index}`)).join(", ");
  const members = groups.length > 0;
  return `table ip cloud
delete table ip cloud
table ip cloud {
${chains.join("")}  chain forward {
    type filter hook forward priority 0; policy drop;
    ct state established,related accept
    ${members ? `ip saddr ${plan.private}.0/24 ip daddr vmap { ${verdicts(plan.private, "private")} }` : ""}
    ${members ? `ip saddr ${plan.alias}.0/24 ip daddr vmap { ${verdicts(plan.alias, "public")} }` : ""}
    ip saddr ${plan.private}.0/24 oifname "tap0" accept
  }
  chain input {
    type filter hook input priority 0; policy drop;
    ct state established,related accept
    ${hostPorts.length > 0 ? `ip saddr ${plan.private}.0/24 ip daddr ${plan.gateway} tcp dport { ${hostPorts.join(", ")} } accept` : ""}
    ip daddr ${plan.gateway} ip protocol icmp accept
  }
  chain leave {
    type nat hook postrouting priority 100
    oifname "tap0" masquerade
  }
}
`;
}

const chain = (name: string, lines: readonly string[]): string => `  chain ${name} {
${lines.map((line) => `    ${line}\n`).join("")}  }`;

function groupsOf(state: CloudState): Group[] {
  const groups = new Map<string, Group>();
  for (const { ip, region, rulesetIds } of state.instances.filter(isThere)) {
    const key = [region, ...[...rulesetIds].sort()].join();
    const group = groups.get(key) ?? { region, rulesetIds, members: [] };
    groups.set(key, group);
    group.members.push(lastNumber(ip));
  }
  return [...groups.values()];
}

const isThere = ({ status }: InstanceRecord): boolean => status !== "terminated" && status !== "preempted";

/** Last number of an address, which an instance's public and private one have in common. */
export const lastNumber = (ip: string): number => toNumber(ip) % 256;

function rulesOf(state: CloudState, { rulesetIds }: Group): FirewallRule[] {
  const rulesets = state.rulesets.filter(({ id }) => rulesetIds.includes(id));
  return [state.globalRules, ...rulesets.map(({ rules }) => rules)].flatMap((rules) => rules.slice(0, mostRules));
}

/** The public addresses that a network holds, by their aliases: the whole network, or a part. */
function asAlias(network: string, plan: AddressPlan): string | undefined {
  const [base = "", length = "32"] = network.split("/");
  if (Number(length) <= 24) return isIn(network, `${plan.public}.0`) ? `${plan.alias}.0/24` : undefined;
  return isIn(`${plan.public}.0/24`, base) ? `${plan.alias}.${lastNumber(base)}/${length}` : undefined;
}

/** What a rule says, in nftables' words. */
function statements({ protocol, port_range }: FirewallRule, network: string, sshPort: number): string[] {
  const source = Number(network.split("/")[1] ?? 32) === 0 ? "" : `ip saddr ${network} `;
  if (protocol === "icmp") return [`${source}ip protocol icmp accept`];
  if (!port_range) return [`${source}${protocol === "all" ? "" : `ip protocol ${protocol} `}accept`];
  const [first, last] = port_range;
  const ports = [
    first === last ? String(first) : `${first}-${last}`,
    ...(first <= 22 && 22 <= last && sshPort !== 22 ? [String(sshPort)] : []),
  ];
  const protocols = protocol === "all" ? "meta l4proto { tcp, udp } th" : protocol;
  return ports.map((port) => `${source}${protocols} dport ${port} accept`);
}
