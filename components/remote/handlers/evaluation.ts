import type { EvaluationPlan, RunPlan } from "../../../plan/types";
import { readMetrics, readStatus } from "../../../remote/run";
import { withSession } from "../../../remote/session";
import { diffByName } from "../../dynamic/diff";
import type { DynamicHandler } from "../../dynamic/handler";
import { isUnreachable, type OnInstance } from "./place";

interface Inputs extends OnInstance {
  readonly startId: string;
  readonly run: RunPlan;
  readonly evaluation: EvaluationPlan;
  readonly workspace: string;
}

interface Outputs extends Inputs {
  readonly state: "pending" | "running" | "done" | "failed";
  readonly metrics: Readonly<Record<string, unknown>>;
}

async function look(inputs: Inputs): Promise<Outputs> {
  const { experiment } = inputs.run;
  return withSession(inputs.access, async (session) => {
    const { evaluation } = await readStatus(session, experiment);
    const state = evaluation === undefined || evaluation.state === "none" ? "pending" : evaluation.state;
    const metrics =
      state === "done" ? await readMetrics(session, { experiment, metrics: inputs.evaluation.metrics }) : {};
    return { ...inputs, state, metrics };
  });
}

/** Life of an evaluation as seen from here. The instance makes it by itself when training has ended. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["instanceId", "startId"],
      update: ["access", "run", "evaluation", "workspace"],
    }),
  create: async (inputs) => ({ id: `${inputs.instanceId}:${inputs.run.experiment}`, outs: await look(inputs) }),
  read: async (id, props) => {
    if (props.access === undefined || props.run === undefined) return undefined;
    try {
      return { id, props: await look(props as Inputs) };
    } catch (error) {
      if (isUnreachable(error)) return { id, props: props as Outputs };
      throw error;
    }
  },
  update: async (_id, _olds, news) => look(news),
};
