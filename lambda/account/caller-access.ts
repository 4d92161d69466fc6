import { BlockList } from "node:net";
import type { Cloud } from "../api/connect";
import type { FirewallRule } from "../api/schemas";
import { readLiving } from "../life/termination";
import { callerAddress } from "./caller-address";

/** Description of the rule that lets in the machine on which `up` ran, where `sshSources` is `auto`. */
export const callerRule = "SSH from where the stack is run";

/** Description of the rules that the user named. */
export const namedRule = "SSH from a network in sshSources";

/** Rules that the stack's ruleset may have before the oldest ones that were added go. */
const mostRules = 10;

/**
 * Lets this machine in where the firewall keeps it out because its address has changed since the last `up`. Only the
 * ruleset that carries the instance's own name is changed, and only where `sshSources` is `auto`; else it tells what to
 * do. The next `up` with an address that it did not know, or with a refresh, leaves the current one alone.
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
  const ours = rulesets.find(({ name }) => name === `${instance.name}-${instance.region}`);
  if (ours === undefined || rulesets.some(({ rules }) => rules.some((rule) => letsIn(rule, address)))) return false;
  if (!ours.rules.some(({ description }) => description === callerRule)) {
    const named = ours.rules.map(({ sourceNetwork }) => sourceNetwork).join(", ");
    tell(
      `This machine's address is ${address}, and the firewall lets in ${named} alone, as sshSources says: add ${address}/32 ` +
        "there, and `npm run up`.",
    );
    return false;
  }
  tell(
    `This machine's address is ${address} now, which the firewall does not let in yet: ${ours.name} is opened for it.`,
  );
  const added = {
    protocol: "tcp",
    portRange: [22, 22],
    sourceNetwork: `${address}/32`,
    description: callerRule,
  } as const;
  await cloud.client.updateRuleset(ours.id, { rules: [...ours.rules.slice(1 - mostRules), added] as FirewallRule[] });
  return true;
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
