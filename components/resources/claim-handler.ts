import { deleteUnused } from "../../lambda/account/deletion";
import type { Cloud } from "../../lambda/api/connect";
import { isKind } from "../../lambda/api/errors";
import { endAndBill, rented } from "../../lambda/billing/settle";
import { Launcher } from "../../lambda/launch/launcher";
import { type Failure, Failures, isText } from "../dynamic/checks";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { type Placed, requireNoRun } from "./placement";

interface ClaimInputs extends Placed {
  readonly deleteFileSystems?: boolean;
}

/** The life of a claim. */
export const handler: DynamicHandler<ClaimInputs, ClaimInputs> = {
  check: (news) => ({ inputs: news, failures: checkClaimName(news.name) }),
  // The old claim is swept after everything that carried its name has been renamed or replaced, never before.
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["name", "endpoint"],
      update: ["deleteFileSystems", "placement", "login"],
      deleteBeforeReplace: false,
    }),
  create: async (inputs) => ({ id: inputs.name, outs: outputs(inputs) }),
  update: async (_id, olds, news, context) => {
    await requireNoRun(olds, news, context);
    return outputs(news);
  },
  delete: async (_id, claim, context) => sweep(connect(claim.endpoint, context), claim, context),
};

function outputs({ name, endpoint, deleteFileSystems, placement, login }: ClaimInputs): ClaimInputs {
  return { name, endpoint, deleteFileSystems, placement, login };
}

/**
 * Ends everything that still carries exactly the unique name. Usually that is nothing; after a killed `up` it is what
 * the state never got to know.
 */
async function sweep(cloud: Cloud, claim: ClaimInputs, context: HandlerContext): Promise<void> {
  const { name } = claim;
  const { status } = context;
  const launcher = new Launcher(cloud, name, context);
  await terminateNamed(cloud, launcher, name, context);
  const { client } = cloud;
  for (const key of await client.listSshKeys()) {
    if (key.name === name) await goneIsFine(client.deleteSshKey(key.id));
  }
  for (const ruleset of await client.listRulesets()) {
    const ours = ruleset.name === name || ruleset.name === `${name}-${ruleset.region}`;
    if (ours)
      await deleteUnused(cloud, `firewall ruleset ${ruleset.name}`, () => client.deleteRuleset(ruleset.id), status);
  }
  if (claim.deleteFileSystems === true) {
    for (const fileSystem of await client.listFileSystems()) {
      if (fileSystem.name !== name) continue;
      await deleteUnused(cloud, `file system ${name}`, () => client.deleteFileSystem(fileSystem.id), status);
    }
  }
}

/** Ends instances of exactly this name, and forgets launches under it. */
export async function terminateNamed(
  cloud: Cloud,
  launcher: Launcher,
  name: string,
  { progress, status }: HandlerContext,
): Promise<void> {
  for (const instance of await launcher.findAll()) {
    progress(`${name}: terminating instance ${instance.id}, which the state does not know`);
    await endAndBill(cloud, rented(instance), { progress, status });
  }
  launcher.settle();
}

/** What is wrong with a claim's name. */
export function checkClaimName(given: string): Failure[] {
  const failures = new Failures();
  const unique = (name: string): boolean => isText(name, 12, 48) && /^[a-z][a-z0-9-]*[0-9a-f]{8}$/.test(name);
  const rule = "must be 12 to 48 lower-case letters, digits and dashes that end in 8 random hexadecimal digits";
  failures.require("name", given, unique, rule);
  return failures.list;
}

async function goneIsFine(deletion: Promise<void>): Promise<void> {
  try {
    await deletion;
  } catch (error) {
    if (!isKind(error, "not-found")) throw error;
  }
}
