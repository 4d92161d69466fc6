import { callAgent } from "../../remote/agent";
import type { NodesCheck } from "../../remote/scripts";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { look, type OnInstance } from "./place";

interface NodesInputs extends Omit<OnInstance, "instanceId"> {
  readonly instanceIds: readonly string[];
  readonly check: NodesCheck;
  readonly environment: string;
}

/** Life of the gate of a training on several machines. */
export const handler: DynamicHandler<NodesInputs, NodesInputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, { replace: ["instanceIds", "check", "environment"], update: ["access"] }),
  create: async (inputs, context) => {
    await measure(inputs, context);
    return { id: inputs.instanceIds.join(" "), outs: outsOf(inputs) };
  },
  update: async (_id, _olds, news) => outsOf(news),
};

function outsOf({ access, instanceIds, check, environment }: NodesInputs): NodesInputs {
  return { access, instanceIds, check, environment };
}

async function measure({ access, check }: NodesInputs, { progress, status }: HandlerContext): Promise<void> {
  status("an all-reduce among the machines", check.machines.join(", "));
  const what = "The all-reduce among the machines of the training";
  const timeoutSeconds = 3 * check.seconds + 120;
  const said = await look(access, (session) =>
    callAgent(session, { verb: "nodes-verify", document: check }, what, { timeoutSeconds }),
  );
  for (const line of said.trim().split("\n")) progress(line.replace(/^ok /, ""));
}
