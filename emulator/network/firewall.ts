import type { CloudState, FirewallRule, InstanceRecord } from "../state/model";

/** Firewalls do nothing in this region, as Lambda documents. */
export const openRegion = "us-south-1";

/** An IPv4 address as a number. */
export const toNumber = (ip: string): number => ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);

/** Whether an IPv4 address is in a network such as `10.0.0.0/8` (without a length: that address alone). */
export function isIn(network: string, ip: string): boolean {
  const [base = "", length = "32"] = network.split("/");
  const block = 2 ** (32 - Number(length));
  return Math.floor(toNumber(base) / block) === Math.floor(toNumber(ip) / block);
}

const lets = (rule: FirewallRule, source: string, port: number): boolean =>
  (rule.protocol === "tcp" || rule.protocol === "all") &&
  (!rule.port_range || (rule.port_range[0] <= port && port <= rule.port_range[1])) &&
  isIn(rule.source_network, source);

/**
 * Rules of a set, or of the workspace, that are sure to be in force. Lambda's docs: more can be made, but then new
 * instances might not launch, and not all rules might be active.
 */
export const mostRules = 20;

/**
 * Whether an instance's firewall lets a TCP connection in: the rules of the workspace and of the instance's rulesets
 * together. All rules allow; what none allows is dropped.
 *
 * @param port as seen from inside the instance: 22 for sshd, wherever the emulator listens for it
 */
export function isAdmitted(state: CloudState, instance: InstanceRecord, source: string, port: number): boolean {
  if (instance.region === openRegion) return true;
  const rulesets = state.rulesets.filter((ruleset) => instance.rulesetIds.includes(ruleset.id));
  const sets = [state.globalRules, ...rulesets.map((ruleset) => ruleset.rules)];
  return sets.some((rules) => rules.slice(0, mostRules).some((rule) => lets(rule, source, port)));
}
