import type { Listener } from "../../local/listener";
import type { Cloud } from "../api/connect";
import { endAndBill, type Rented, rented } from "../billing/settle";
import { readInstance } from "../life/read";
import { deleteUnused } from "./deletion";
import type { Account, Claimed, Orphan } from "./orphans";

/** Everything in the account that a claim can be on. */
export async function readAccount({ client }: Cloud): Promise<Account> {
  const [instances, sshKeys, rulesets, fileSystems] = await Promise.all([
    client.listInstances(),
    client.listSshKeys(),
    client.listRulesets(),
    client.listFileSystems(),
  ]);
  return { instances, sshKeys, rulesets, fileSystems };
}

/**
 * Ends everything of a claim: instances first, confirmed by the API, then what they used. File systems hold data and
 * stay. Whatever an instance holds is lost. Throws at the first thing that does not go.
 */
export async function removeOrphan(cloud: Cloud, orphan: Orphan, listener: Listener): Promise<void> {
  const { client } = cloud;
  const { progress, status } = listener;
  const all = (kind: Orphan["things"][number]["kind"]): Orphan["things"] =>
    orphan.things.filter((thing) => thing.kind === kind);
  for (const thing of all("instance")) {
    const { id, name } = thing;
    const ended = await endAndBill(cloud, await facts(cloud, thing), listener);
    progress?.(`${name}: instance ${id} ${ended ? "is terminated" : "was gone already"}`);
  }
  for (const { id, name } of all("SSH key")) {
    await deleteUnused(cloud, `SSH key ${name}`, () => client.deleteSshKey(id), status);
    progress?.(`${name}: SSH key is deleted`);
  }
  for (const { id, name } of all("firewall ruleset")) {
    await deleteUnused(cloud, `firewall ruleset ${name}`, () => client.deleteRuleset(id), status);
    progress?.(`${name}: firewall ruleset is deleted`);
  }
}

/** What is known of an instance towards its bill: its tags tell the stack, as long as it is there. */
async function facts(
  cloud: Cloud,
  { id, type = "", region = "", createdAt, priceCentsPerHour = 0 }: Claimed,
): Promise<Rented> {
  const found = await readInstance(cloud, id);
  if (found !== undefined) return rented(found);
  return { id, instanceType: type, region, launchedAt: createdAt, priceCentsPerHour };
}
