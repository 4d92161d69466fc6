import { Launcher } from "../../lambda/launch/launcher";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler } from "../dynamic/handler";
import { checkClaimName, terminateNamed } from "./claim-handler";
import { connect } from "./cloud";

interface LaunchClaimInputs {
  readonly name: string;
  readonly endpoint?: string;
  readonly needs?: readonly string[];
}

/** The life of a launch claim. */
export const handler: DynamicHandler<LaunchClaimInputs, LaunchClaimInputs> = {
  check: (news) => ({ inputs: news, failures: checkClaimName(news.name) }),
  // As of the claim itself: the old one is swept after what carried its name moved on, never before.
  diff: (_id, olds, news) =>
    diffByName(olds, news, { replace: ["name", "endpoint"], update: ["needs"], deleteBeforeReplace: false }),
  create: async ({ name, endpoint, needs }) => ({ id: name, outs: { name, endpoint, needs } }),
  delete: async (_id, { name, endpoint }, context) => {
    const cloud = connect(endpoint, context);
    await terminateNamed(cloud, new Launcher(cloud, name, context), name, context);
  },
};
