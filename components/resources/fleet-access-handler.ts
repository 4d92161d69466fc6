import { changeFleetAccess } from "../../lambda/account/fleet-access";
import { isKind } from "../../lambda/api/errors";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";

interface FleetAccessInputs {
  readonly endpoint?: string;
  readonly rulesetIds: Readonly<Record<string, string>>;
  readonly region: string;
  readonly ip: string;
  readonly privateIp: string;
  readonly allPorts?: boolean;
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
  update: async (_id, olds, news, context) => {
    await change(news, { add: news, remove: olds }, context);
    return outsOf(news);
  },
  delete: (_id, props, context) => change(props, { remove: props }, context),
};

function outsOf({ endpoint, rulesetIds, region, ip, privateIp, allPorts }: FleetAccessInputs): FleetAccessInputs {
  return { endpoint, rulesetIds, region, ip, privateIp, allPorts };
}

async function change(
  { endpoint, rulesetIds, allPorts }: FleetAccessInputs,
  { add, remove }: { readonly add?: FleetAccessInputs; readonly remove?: FleetAccessInputs },
  context: HandlerContext,
): Promise<void> {
  const cloud = connect(endpoint, context);
  await Promise.all(
    Object.entries(rulesetIds).map(async ([region, id]) => {
      try {
        await changeFleetAccess(cloud, id, {
          ports: allPorts === true ? [1, 65_535] : [22, 22],
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

/** The address from which machines of a region see it: the private one among instances of a region. */
function sourceIn(region: string, { region: own, ip, privateIp }: FleetAccessInputs): string {
  return region === own && privateIp !== "" ? privateIp : ip;
}
