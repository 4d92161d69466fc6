import { BlockList } from "node:net";
import type { Cloud } from "../api/connect";
import { isKind } from "../api/errors";
import type { FirewallRule } from "../api/schemas";
import { isFleetRule } from "./fleet-access";

/** Where a machine of a fleet is, and by which rulesets the others let it in. */
export interface FleetPlace {
  /** Firewall rulesets of the stack's machines, by region. */
  readonly rulesetIds: Readonly<Record<string, string>>;
  readonly region: string;
  readonly ip: string;
  /** Its address among instances of the region; may be empty. */
  readonly privateIp: string;
  /** Whether the others let it in at each port, not at SSH's alone. */
  readonly allPorts?: boolean;
}

/** Ports at which the others let a machine in. */
export function portsFor({ allPorts }: Pick<FleetPlace, "allPorts">): [number, number] {
  return allPorts === true ? [1, 65_535] : [22, 22];
}

/** The address from which machines of a region see it: the private one among instances of a region. */
export function sourceIn(region: string, { region: own, ip, privateIp }: FleetPlace): string {
  return region === own && privateIp !== "" ? privateIp : ip;
}

/** The regions whose ruleset lets a machine in by the fleet's rules. One that somebody deleted lets in nobody. */
export async function regionsOpenTo(cloud: Cloud, place: FleetPlace): Promise<string[]> {
  const looks = Object.entries(place.rulesetIds).map(async ([region, id]) => {
    try {
      const { rules } = await cloud.client.getRuleset(id);
      return rules.some((rule) => admits(rule, sourceIn(region, place), portsFor(place))) ? [region] : [];
    } catch (error) {
      if (isKind(error, "not-found")) return [];
      throw error;
    }
  });
  return (await Promise.all(looks)).flat();
}

function admits(rule: FirewallRule, address: string, [first, last]: readonly [number, number]): boolean {
  const [from = 1, to = 65_535] = rule.portRange ?? [];
  if (!isFleetRule(rule) || from > first || to < last) return false;
  const network = new BlockList();
  const [base = "", length = "32"] = rule.sourceNetwork.split("/");
  network.addSubnet(base, Number(length), "ipv4");
  return network.check(address);
}
