import { layOverMade, type MadeConfigPlace } from "../../remote/made-config";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { look, type OnInstance } from "./place";

interface Inputs extends OnInstance, MadeConfigPlace {
  readonly environment: string;
}

async function lay(inputs: Inputs, context: HandlerContext): Promise<Inputs> {
  context.status("laying the overrides over the config that setup made");
  await look(inputs.access, (session) => layOverMade(session, inputs));
  return inputs;
}

/** Life of the overrides of a config that setup makes: laid over it again if they or the environment change. */
export const handler: DynamicHandler<Inputs, Inputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["instanceId"],
      update: ["access", "workspace", "directory", "config", "environment"],
    }),
  create: async (inputs, context) => ({
    id: `${inputs.instanceId}:${inputs.config.path}`,
    outs: await lay(inputs, context),
  }),
  update: async (_id, _olds, news, context) => lay(news, context),
};
