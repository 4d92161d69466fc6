import { masked } from "../../local/kept-secrets";
import type { EvaluationPlan, RunPlan } from "../../plan/types";
import { leftMetricsText } from "../../remote/metric-files";
import { evaluationFailure, readMetrics, readStatus } from "../../remote/run";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { look, lookOrKeep, type OnInstance } from "./place";
import { maskSecrets } from "./secrets-here";

interface Inputs extends OnInstance {
  readonly startId: string;
  readonly attempt?: number;
  readonly run: RunPlan;
  readonly evaluation: EvaluationPlan;
  readonly workspace: string;
}

interface Outputs extends Inputs {
  readonly state: "pending" | "running" | "done" | "failed";
  readonly metrics: Readonly<Record<string, unknown>>;
}

async function evaluated(inputs: Inputs, context: HandlerContext): Promise<Outputs> {
  const { progress } = context;
  const { experiment, secrets } = inputs.run;
  maskSecrets(secrets, context);
  return look(inputs.access, async (session) => {
    const status = await readStatus(session, experiment);
    const { evaluation } = status;
    const state = evaluation === undefined || evaluation.state === "none" ? "pending" : evaluation.state;
    if (state === "failed") progress(await evaluationFailure(session, status));
    if (state !== "done") return { ...inputs, state, metrics: {} };
    const { files, left } = await readMetrics(session, { experiment, metrics: inputs.evaluation.metrics });
    for (const file of left) progress(`Not among the metrics of ${experiment}: ${leftMetricsText(file)}`);
    // They become outputs of the stack, and the instance no longer knows the secrets.
    return { ...inputs, state, metrics: JSON.parse(masked(JSON.stringify(files))) as typeof files };
  });
}

/** Life of an evaluation as seen from here. The instance makes it by itself when training has ended. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news) =>
    diffByName(olds, news, {
      replace: ["instanceId", "startId"],
      update: ["access", "attempt", "run", "evaluation", "workspace"],
    }),
  create: async (inputs, context) => ({
    id: `${inputs.instanceId}:${inputs.run.experiment}`,
    outs: await evaluated(inputs, context),
  }),
  read: async (id, props, context) => {
    if (props.access === undefined || props.run === undefined) return undefined;
    return { id, props: await lookOrKeep(props as Outputs, context, () => evaluated(props as Inputs, context)) };
  },
  update: async (_id, _olds, news, context) => evaluated(news, context),
};
