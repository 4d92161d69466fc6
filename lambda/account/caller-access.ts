import { BlockList } from "node:net";
import { mostFirewallRules } from "../../plan/stack-config";
import type { Cloud } from "../api/connect";
import type { FirewallRule } from "../api/schemas";
import { readLiving } from "../life/termination";
import { callerAddress } from "./caller-address";
import { isFleetRule } from "./fleet-access";

/** Description of the rule that lets in the machine on which `up` ran, where `sshSources` is `auto`. */
export const callerRule = "SSH from where the stack is run";

/** Description of the rules that the user named. */
export const namedRule = "SSH from a network in sshSources";

/** Rules that the stack's ruleset may have before the oldest ones that were added go. */
const mostRules = 10;

/**
 * Admits this machine if the firewall blocks it because its address has changed since the last `up`. Changes only the
 * ruleset that carries the instance's own name, and only if `sshSources` is `auto`. Otherwise it says what to do. The
 * next `up` with a new address, or with a refresh, keeps only the current one.
 * @returns whether the ruleset was changed.
 */
export async function letCallerIn(
  cloud: Cloud,
  endpoint: string | undefined,
  instanceId: string,
  tell: (message: string) => void,
): Promise<boolean> {
  const instance = await readLiving(cloud, instanceId);
  const address = await callerAddress(endpoint);
  if (instance?.name === undefined || address === undefined) return false;
  const rulesets = await Promise.all(instance.rulesetIds.map((id) => cloud.client.getRuleset(id)));
  const ours = rulesets.find(({ name }) => isOfStack(name, instance.name ?? "", instance.region ?? ""));
  if (ours === undefined || rulesets.some(({ rules }) => rules.some((rule) => letsIn(rule, address)))) return false;
  if (!ours.rules.some(({ description }) => description === callerRule)) {
    const named = ours.rules.map(({ sourceNetwork }) => sourceNetwork).join(", ");
    tell(
      `This machine's address is ${address}, but sshSources admits only ${named}. Add ${address}/32 to sshSources and run ` +
        "`npm run up`.",
    );
    return false;
  }
  tell(`This machine's address is now ${address}. Opened ${ours.name} for it.`);
  const added = {
    protocol: "tcp",
    portRange: [22, 22],
    sourceNetwork: `${address}/32`,
    description: callerRule,
  } as const;
  const fleet = ours.rules.filter(isFleetRule);
  const others = ours.rules.filter((rule) => !isFleetRule(rule));
  const most = Math.max(1, Math.min(mostRules, mostFirewallRules - fleet.length));
  const rules = [...(most === 1 ? [] : others.slice(1 - most)), added, ...fleet];
  await cloud.client.updateRuleset(ours.id, { rules: rules as FirewallRule[] });
  return true;
}

/** Whether a ruleset carries the instance's own name, or that of another machine of its stack, as fleets share one. */
function isOfStack(ruleset: string, instance: string, region: string): boolean {
  const unique = /[0-9a-f]{8}$/;
  const name = ruleset.endsWith(`-${region}`) ? ruleset.slice(0, -region.length - 1) : "";
  return name === instance || (unique.test(name) && name.replace(unique, "") === instance.replace(unique, ""));
}

/** Whether a rule opens SSH's port, for the network that it names. */
export function opensSsh({ protocol, portRange }: FirewallRule): boolean {
  const [first = 1, last = 65535] = portRange ?? [];
  return ["tcp", "all"].includes(protocol) && first <= 22 && last >= 22;
}

function letsIn(rule: FirewallRule, address: string): boolean {
  const network = new BlockList();
  const [base = "", length = "32"] = rule.sourceNetwork.split("/");
  network.addSubnet(base, Number(length), "ipv4");
  return opensSsh(rule) && network.check(address);
}
