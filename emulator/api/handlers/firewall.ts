import { findRegion } from "../../catalog/regions";
import { newId } from "../../state/ids";
import type { CloudState, FirewallRule, RulesetRecord } from "../../state/model";
import { ApiError, doesNotExist, invalidParameters, quotaExceeded } from "../errors";
import { presentRuleset } from "../present";
import { checkRules } from "../validation";
import type { Call, Handlers } from "./context";

const presentGlobal = (state: CloudState) => ({
  id: "global",
  name: "Default Workspace Global Rules",
  rules: state.globalRules,
});

function find(state: CloudState, id: string): RulesetRecord {
  const record = state.rulesets.find((ruleset) => ruleset.id === id);
  if (!record) throw doesNotExist("Firewall ruleset does not exist or you do not have permission to access it.");
  return record;
}

/** Rules as they are kept: checked, without fields that are not theirs. */
function accept(rules: readonly FirewallRule[], location: string): FirewallRule[] {
  checkRules(rules, location);
  return rules.map(({ protocol, port_range, source_network, description }) => ({
    protocol,
    ...(port_range && { port_range }),
    source_network: source_network.includes("/") ? source_network : `${source_network}/32`,
    description,
  }));
}

export const firewallHandlers: Handlers<
  | "listFirewallRules"
  | "setFirewallRules"
  | "listFirewallRulesets"
  | "createFirewallRuleset"
  | "getGlobalFirewallRuleset"
  | "updateGlobalFirewallRuleset"
  | "getFirewallRuleset"
  | "updateFirewallRuleset"
  | "deleteFirewallRuleset"
> = {
  listFirewallRules: ({ state }) => state.globalRules,

  setFirewallRules: (call: Call<{ data: FirewallRule[] }>) => {
    call.state.globalRules = accept(call.body.data, "data");
    call.audit("firewall_ruleset", "updated", ["global"]);
    return call.state.globalRules;
  },

  listFirewallRulesets: ({ state }) => state.rulesets.map((record) => presentRuleset(state, record)),

  createFirewallRuleset: (call: Call<{ name: string; region: string; rules: FirewallRule[] }>) => {
    const { state, body } = call;
    if (!findRegion(body.region)) throw invalidParameters(`Region ${body.region} does not exist.`);
    const rules = accept(body.rules, "rules");
    if (state.rulesets.length >= state.settings.quota.rulesets) throw quotaExceeded();
    const record: RulesetRecord = { id: newId(), name: body.name, region: body.region, rules, createdAt: call.now() };
    state.rulesets.push(record);
    call.audit("firewall_ruleset", "created", [record.id], { region: body.region });
    return presentRuleset(state, record);
  },

  getGlobalFirewallRuleset: ({ state }) => presentGlobal(state),

  updateGlobalFirewallRuleset: (call: Call<{ rules?: FirewallRule[] }>) => {
    const { state, body } = call;
    if (body.rules) state.globalRules = accept(body.rules, "rules");
    call.audit("firewall_ruleset", "updated", ["global"]);
    return presentGlobal(state);
  },

  getFirewallRuleset: ({ state, id }) => presentRuleset(state, find(state, id)),

  updateFirewallRuleset: (call: Call<{ name?: string; rules?: FirewallRule[] }>) => {
    const { state, body, id } = call;
    const record = find(state, id);
    if (body.rules) record.rules = accept(body.rules, "rules");
    if (body.name !== undefined) record.name = body.name;
    call.audit("firewall_ruleset", "updated", [id]);
    return presentRuleset(state, record);
  },

  deleteFirewallRuleset: (call) => {
    const { state, id } = call;
    const record = find(state, id);
    if (presentRuleset(state, record).instance_ids.length > 0)
      throw new ApiError(
        400,
        "firewall-rulesets/firewall-ruleset-in-use",
        "Firewall ruleset is in use by one or more instances.",
        "Terminate the instances that use it, then try again.",
      );
    state.rulesets.splice(state.rulesets.indexOf(record), 1);
    call.audit("firewall_ruleset", "deleted", [id]);
    return {};
  },
};
