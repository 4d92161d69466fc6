import type { AddressPlan } from "./plan";

/** Largest packet. No wire is between instances, and fewer packets cost less. */
const mtu = 65520;

/**
 * Makes a new network namespace the router of a cloud: it forwards what the firewall lets through. The networks from which
 * clouds take theirs are not outside, so an address that nobody has leads nowhere.
 */
export const routerScript = (plan: AddressPlan): string => `set -e
cd /proc/sys/net
echo 1 >ipv6/conf/all/disable_ipv6 2>/dev/null || [ ! -e ipv6 ]
echo 1 >ipv6/conf/default/disable_ipv6 2>/dev/null || [ ! -e ipv6 ]
echo 1 >ipv4/ip_forward
ip -batch - <<'END'
link set lo up
addr add ${plan.gateway}/32 dev lo
route add unreachable 172.27.0.0/16
route add unreachable 100.64.0.0/16
END
`;

/** Name of the router's end of the cable to an instance. */
const cable = (n: number): string => `m${n}`;

/**
 * Lays a cable from the router, in whose namespace it runs, to the namespace of a process. There, an unprivileged user
 * may listen on every port, and 127.0.0.1 leads to the host at some of them.
 *
 * @param n last number of the instance's addresses
 * @param hostPorts of the host's loopback address, for which the router stands in
 */
export const joinScript = (plan: AddressPlan, n: number, pid: number, hostPorts: readonly number[]): string => `set -e
ip link delete ${cable(n)} 2>/dev/null || true
ip -batch - <<'END'
link add ${cable(n)} mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${pid}
link set ${cable(n)} up
route add ${plan.private}.${n} dev ${cable(n)}
route add ${plan.alias}.${n} via ${plan.private}.${n} dev ${cable(n)}
END
exec nsenter --net=/proc/${pid}/ns/net sh -s <<'SCRIPT'
set -e
cd /proc/sys/net
[ ! -e ipv6 ] || echo 1 >ipv6/conf/eth0/disable_ipv6
echo 0 >ipv4/ip_unprivileged_port_start
echo 1 >ipv4/conf/eth0/route_localnet
ip -batch - <<'END'
link set eth0 up
addr add ${plan.private}.${n}/24 dev eth0 noprefixroute
route add ${plan.gateway} dev eth0 src ${plan.private}.${n}
route add default via ${plan.gateway} src ${plan.private}.${n}
END
exec nft -f - <<'END'
${machineRules(plan, n, hostPorts)}END
SCRIPT
`;

/** Takes the cable to an instance away. */
export const leaveScript = (n: number): string => `ip link delete ${cable(n)} 2>/dev/null || true\n`;

/** Tells a namespace which ports of 127.0.0.1 are the host's. */
export const hostPortsScript = (pid: number, hostPorts: readonly number[]): string =>
  `exec nsenter --net=/proc/${pid}/ns/net nft -f - <<'END'
flush set ip machine host_ports
${hostPorts.length > 0 ? `add element ip machine host_ports { ${hostPorts.join(", ")} }` : ""}
END
`;

/** Public addresses and the host's ports, as an instance calls them, in what can travel. */
const machineRules = (plan: AddressPlan, n: number, hostPorts: readonly number[]): string => `table ip machine {
  set host_ports {
    type inet_service
    ${hostPorts.length > 0 ? `elements = { ${hostPorts.join(", ")} }` : ""}
  }
  chain out {
    type nat hook output priority -100
    ip daddr ${plan.public}.0/24 dnat ip prefix to ip daddr map { ${plan.public}.0/24 : ${plan.alias}.0/24 }
    ip daddr 127.0.0.1 tcp dport @host_ports dnat to ${plan.gateway}
  }
  chain in {
    type nat hook prerouting priority -100
    ip daddr ${plan.alias}.${n} dnat to ${plan.private}.${n}
  }
  chain leave {
    type nat hook postrouting priority 100
    oifname "eth0" ip daddr ${plan.alias}.0/24 snat to ${plan.alias}.${n}
    oifname "eth0" ip saddr 127.0.0.0/8 snat to ${plan.private}.${n}
  }
}
`;
