import { isIPv4 } from "node:net";
import { opensSsh } from "../../lambda/account/caller-access";
import { deleteUnused } from "../../lambda/account/deletion";
import { isFleetRule } from "../../lambda/account/fleet-access";
import type { Cloud } from "../../lambda/api/connect";
import { isKind } from "../../lambda/api/errors";
import type { FirewallRule, FirewallRuleset } from "../../lambda/api/schemas";
import { createdOrFound } from "../../lambda/life/unclear";
import { mostFirewallRules } from "../../plan/stack-config";
import { Failures, isText } from "../dynamic/checks";
import { diffByName, sameValue } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { type Connect, connect } from "./cloud";

interface FirewallRulesetInputs {
  readonly name: string;
  readonly region: string;
  readonly rules: readonly FirewallRule[];
  readonly endpoint?: string;
}

/** The life of a firewall ruleset. */
export function firewallRulesetHandler(
  connectTo: Connect,
): DynamicHandler<FirewallRulesetInputs, FirewallRulesetInputs> {
  return {
    check: (news) => {
      const failures = new Failures();
      failures.require("name", news.name, (name) => isText(name, 1, 64), "must have 1 to 64 characters");
      failures.require("region", news.region, (region) => isText(region), "must be a region like us-east-1");
      const counted = (rules: unknown): boolean => Array.isArray(rules) && rules.length <= mostFirewallRules;
      failures.require("rules", news.rules, counted, `must be a list of at most ${mostFirewallRules} rules`);
      if (failures.list.length === 0 && Array.isArray(news.rules)) {
        for (const [index, rule] of news.rules.entries()) failures.require(`rules[${index}]`, rule, isRule, ruleText);
      }
      return { inputs: news, failures: failures.list };
    },
    diff: (_id, olds, news) =>
      diffByName(withBareRules(olds), withBareRules(news), {
        replace: ["region", "endpoint"],
        update: ["name", "rules"],
      }),
    create: async (inputs, context) => {
      const cloud = connectTo(inputs.endpoint, context);
      const ruleset =
        (await adopted(cloud, inputs)) ??
        (await createdOrFound(
          cloud,
          () => cloud.client.createRuleset(inputs),
          () => adopted(cloud, inputs),
        ));
      await tellOfGlobalRules(cloud, inputs, context);
      return { id: ruleset.id, outs: outsOf(inputs) };
    },
    read: async (id, props, context) => {
      const ruleset = await readRuleset(connectTo(props.endpoint, context), id);
      if (ruleset === undefined) return undefined;
      const { name } = ruleset;
      const rules = ruleset.rules.filter((rule) => !isFleetRule(rule));
      const kept = props.rules !== undefined && sameRules(props.rules, rules) ? props.rules : rules;
      const found = { name, region: ruleset.region ?? props.region ?? "", rules: kept, endpoint: props.endpoint };
      return { id, props: found, inputs: found };
    },
    update: async (id, _olds, news, context) => {
      const cloud = connectTo(news.endpoint, context);
      const { rules = [] } = (await readRuleset(cloud, id)) ?? {};
      const change = { name: news.name, rules: [...news.rules, ...rules.filter(isFleetRule)] };
      await cloud.client.updateRuleset(id, change);
      return outsOf(news);
    },
    delete: (id, props, context) => remove(connectTo(props.endpoint, context), id, props, context),
  };
}

/** What this process has reported already: a stack with several regions has a ruleset in each. */
const told = new Set<string>();

/** Global rules add to a ruleset. They apply to the whole account, so the stack reports them and never changes them. */
async function tellOfGlobalRules(
  cloud: Cloud,
  { rules }: FirewallRulesetInputs,
  { progress }: HandlerContext,
): Promise<void> {
  const { rules: everybodys } = await cloud.client.getGlobalRules();
  tellOnce(progress, everybodys.length > mostFirewallRules ? tooMany(everybodys.length) : "");
  const ours = new Set(rules.map((rule) => bare(rule).sourceNetwork));
  const networks = everybodys.filter(opensSsh).map((rule) => bare(rule).sourceNetwork);
  const wider = networks.filter((network) => !ours.has(network)).join(", ");
  const advice = "narrow them in Lambda's console if no other instance needs that.";
  tellOnce(
    progress,
    wider === "" ? "" : `The account's global firewall rules also let in SSH from ${wider}; ${advice}`,
  );
}

const tooMany = (rules: number): string =>
  `The account has ${rules} global firewall rules. Lambda supports ${mostFirewallRules}: beyond that new instances might ` +
  "not launch, and not all rules might be in force. Delete some in Lambda's console.";

function tellOnce(progress: HandlerContext["progress"], line: string): void {
  if (line === "" || told.has(line)) return;
  told.add(line);
  progress(line);
}

async function remove(
  cloud: Cloud,
  id: string,
  { name }: FirewallRulesetInputs,
  context: HandlerContext,
): Promise<void> {
  await deleteUnused(cloud, `firewall ruleset ${name}`, () => cloud.client.deleteRuleset(id), context.status);
}

/** A ruleset of this name and region that an earlier, interrupted `up` made. The name is unique to the stack. */
async function adopted(cloud: Cloud, inputs: FirewallRulesetInputs): Promise<FirewallRuleset | undefined> {
  const rulesets = await cloud.client.listRulesets();
  const found = rulesets.find((each) => each.name === inputs.name && each.region === inputs.region);
  if (found === undefined) return undefined;
  const fleet = found.rules.filter(isFleetRule);
  const rules = [...inputs.rules, ...fleet];
  return sameRules(found.rules, rules) ? found : cloud.client.updateRuleset(found.id, { rules });
}

async function readRuleset(cloud: Cloud, id: string): Promise<FirewallRuleset | undefined> {
  try {
    return await cloud.client.getRuleset(id);
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

function outsOf({ name, region, rules, endpoint }: FirewallRulesetInputs): FirewallRulesetInputs {
  return { name, region, rules, endpoint };
}

function withBareRules(inputs: FirewallRulesetInputs): object {
  return { ...inputs, rules: Array.isArray(inputs.rules) ? inputs.rules.map(bare) : inputs.rules };
}

function sameRules(a: readonly FirewallRule[], b: readonly FirewallRule[]): boolean {
  return sameValue(a.map(bare), b.map(bare));
}

/** A single address is the same as its /32, which the API may write instead. */
function bare(rule: FirewallRule): FirewallRule {
  return typeof rule === "object" ? { ...rule, sourceNetwork: rule.sourceNetwork.replace(/\/32$/, "") } : rule;
}

const ruleText =
  "must have a protocol (tcp, udp, icmp, all), a portRange [first, last] except for icmp, a sourceNetwork like " +
  "203.0.113.7/32 and a description of at most 128 characters";

function isRule(rule: FirewallRule): boolean {
  const ports = rule.portRange;
  const isPort = (port: unknown): port is number =>
    Number.isInteger(port) && Number(port) >= 1 && Number(port) <= 65535;
  const portsFine =
    rule.protocol === "icmp"
      ? ports === undefined
      : Array.isArray(ports) && ports.length === 2 && ports.every(isPort) && ports[0] <= ports[1];
  return (
    ["tcp", "udp", "icmp", "all"].includes(rule.protocol) &&
    portsFine &&
    isNetwork(rule.sourceNetwork) &&
    isText(rule.description, 0, 128)
  );
}

function isNetwork(text: string): boolean {
  const [address = "", length = "32", ...rest] = text.split("/");
  return isIPv4(address) && /^\d{1,2}$/.test(length) && Number(length) <= 32 && rest.length === 0;
}

export const handler = firewallRulesetHandler(connect);
