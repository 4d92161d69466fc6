import { changeFleetAccess } from "../../lambda/account/fleet-access";
import { type FleetPlace, portsFor, regionsOpenTo, sourceIn } from "../../lambda/account/fleet-place";
import { isKind } from "../../lambda/api/errors";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";

interface FleetAccessInputs extends FleetPlace {
  readonly endpoint?: string;
}

/** Life of a machine's way in to the others of its stack. */
export const handler: DynamicHandler<FleetAccessInputs, FleetAccessInputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["endpoint"],
      update: ["rulesetIds", "region", "ip", "privateIp", "allPorts"],
    }),
  create: async (inputs, context) => {
    await change(inputs, { add: inputs }, context);
    return { id: inputs.ip, outs: outsOf(inputs) };
  },
  // A ruleset that lost the machine's rule, as by somebody in the console, counts as not changed yet: `up` adds the rule.
  read: async (id, props, context) => {
    if (!isWhole(props)) return undefined;
    const open = await regionsOpenTo(connect(props.endpoint, context), props);
    const rulesetIds = Object.fromEntries(Object.entries(props.rulesetIds).filter(([region]) => open.includes(region)));
    return { id, props: { ...outsOf(props), rulesetIds } };
  },
  update: async (_id, olds, news, context) => {
    await change(news, { add: news, remove: olds }, context);
    return outsOf(news);
  },
  delete: (_id, props, context) => change(props, { remove: props }, context),
};

function outsOf({ endpoint, rulesetIds, region, ip, privateIp, allPorts }: FleetAccessInputs): FleetAccessInputs {
  return { endpoint, rulesetIds, region, ip, privateIp, allPorts };
}

function isWhole(props: Partial<FleetAccessInputs>): props is FleetAccessInputs {
  return [props.rulesetIds, props.region, props.ip, props.privateIp].every((each) => each !== undefined);
}

async function change(
  place: FleetAccessInputs,
  { add, remove }: { readonly add?: FleetAccessInputs; readonly remove?: FleetAccessInputs },
  context: HandlerContext,
): Promise<void> {
  const cloud = connect(place.endpoint, context);
  await Promise.all(
    Object.entries(place.rulesetIds).map(async ([region, id]) => {
      try {
        await changeFleetAccess(cloud, id, {
          ports: portsFor(place),
          add: add === undefined ? [] : [sourceIn(region, add)],
          remove: remove === undefined ? [] : [sourceIn(region, remove)],
        });
      } catch (error) {
        // Deleted by somebody else: it lets in nobody any more.
        if (add !== undefined || !isKind(error, "not-found")) throw error;
      }
    }),
  );
}
