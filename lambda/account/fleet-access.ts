import { mostFirewallRules } from "../../plan/stack-config";
import type { Cloud } from "../api/connect";
import type { FirewallRule, FirewallRuleset } from "../api/schemas";

/** Description of the rules that let a stack's machines in to each other. */
export const fleetRule = "The machines of this stack";

/** Whether a rule lets in the stack's machines. Their addresses are known only once they run, after the ruleset is made. */
export function isFleetRule({ description }: FirewallRule): boolean {
  return description === fleetRule;
}

/** What a machine changes of a ruleset: the addresses that come and go, and which ports are open to them. */
interface Change {
  readonly ports: readonly [number, number];
  readonly add: readonly string[];
  readonly remove: readonly string[];
}

/** Changes that wait for their turn at a ruleset, and the turn. */
interface Queue {
  waiting: Change[];
  turn: Promise<void>;
}

const queues = new Map<string, Queue>();

/**
 * Changes whom of the stack's machines a ruleset lets in. Changes that come together are made by one call: with a hundred
 * machines each would wait for its second otherwise.
 */
export async function changeFleetAccess(cloud: Cloud, rulesetId: string, change: Change): Promise<void> {
  const queue = queues.get(rulesetId) ?? { waiting: [], turn: Promise.resolve() };
  queues.set(rulesetId, queue);
  queue.waiting.push(change);
  if (queue.waiting.length === 1) {
    queue.turn = queue.turn.catch(() => undefined).then(() => apply(cloud, rulesetId, queue));
  }
  await queue.turn;
}

async function apply(cloud: Cloud, rulesetId: string, queue: Queue): Promise<void> {
  const ruleset = await cloud.client.getRuleset(rulesetId);
  const changes = queue.waiting;
  queue.waiting = [];
  const rules = changedRules(ruleset, changes);
  if (JSON.stringify(rules) !== JSON.stringify(ruleset.rules)) await cloud.client.updateRuleset(rulesetId, { rules });
}

function changedRules({ rules }: FirewallRuleset, changes: readonly Change[]): FirewallRule[] {
  const others = rules.filter((rule) => !isFleetRule(rule));
  const known = rules.filter(isFleetRule).map(({ sourceNetwork }) => withLength(sourceNetwork));
  const removed = new Set(changes.flatMap(({ remove }) => remove.map(withLength)));
  const added = changes.flatMap(({ add }) => add.map(withLength));
  const wanted = [...new Set([...known.filter((network) => !removed.has(network)), ...added])];
  const [first, last] = changes.at(-1)?.ports ?? [22, 22];
  const room = Math.max(1, mostFirewallRules - others.length);
  const isSsh = first === 22 && last === 22;
  // SSH asks for a key. Other ports are open to whoever may come in.
  const fleet = mergedNetworks(wanted, room, isSsh ? 0 : widestBits).map((sourceNetwork) => ({
    protocol: isSsh ? ("tcp" as const) : ("all" as const),
    portRange: [first, last] as [number, number],
    sourceNetwork,
    description: fleetRule,
  }));
  return [...others, ...fleet];
}

const withLength = (network: string): string => (network.includes("/") ? network : `${network}/32`);

/** Bits of the widest network for which all ports may be open. */
const widestBits = 16;

/**
 * The networks, of which neighbours are merged where there are more than Lambda's firewall has room for.
 * @param widest Bits that a merged network has at least. @throws Error where fewer would be needed
 */
export function mergedNetworks(networks: readonly string[], most: number, widest = 0): string[] {
  let all = withoutCovered(networks.map(parsed));
  while (all.length > most) {
    // Neighbours by address are the nearest ones.
    const joined = all.slice(1).map((next, at) => cover(all[at] ?? next, next));
    const closest = joined.reduce((best, each) => (each.length > best.length ? each : best));
    if (closest.length < widest) {
      throw new Error(
        `The firewall has room for ${most} rules, and the addresses of the stack's ${networks.length} machines lie too far ` +
          "apart to be merged. Name fewer networks in sshSources, or train on fewer machines.",
      );
    }
    all = withoutCovered([...all, closest]);
  }
  return all.map(
    ({ base, length }) => `${[24, 16, 8, 0].map((bits) => Math.floor(base / 2 ** bits) % 256).join(".")}/${length}`,
  );
}

interface Network {
  readonly base: number;
  readonly length: number;
}

function parsed(network: string): Network {
  const [address = "", length = "32"] = network.split("/");
  const base = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
  return within(base, Number(length));
}

function within(base: number, length: number): Network {
  const block = 2 ** (32 - length);
  return { base: base - (base % block), length };
}

function cover(one: Network, other: Network): Network {
  for (let length = Math.min(one.length, other.length); ; length -= 1) {
    const network = within(one.base, length);
    if (network.base === within(other.base, length).base) return network;
  }
}

/** Sorted by address, without those that lie in another one. */
function withoutCovered(networks: readonly Network[]): Network[] {
  const sorted = [...networks].sort((a, b) => a.base - b.base || a.length - b.length);
  const kept: Network[] = [];
  for (const each of sorted) {
    const last = kept.at(-1);
    if (last === undefined || within(each.base, last.length).base !== last.base) kept.push(each);
  }
  return kept;
}
