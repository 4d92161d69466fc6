import { type Cloud, connectCloud } from "../../lambda/api/connect";
import { configNamespace } from "../../plan/namespace";
import { pulumiOutput, rawStackConfig } from "./pulumi";
import type { StackView } from "./stack-view";

/** Connects to a stack's cloud as its providers do: with LAMBDA_API_KEY, or else with the key in its configuration. */
export async function connectStack({ stack, endpoint }: Pick<StackView, "stack" | "endpoint">): Promise<Cloud> {
  const isOwn = endpoint !== "emulated" && !process.env.LAMBDA_API_KEY && rawStackConfig(stack).apiKey !== undefined;
  const key = isOwn
    ? (await pulumiOutput(["config", "get", `${configNamespace}apiKey`, "--stack", stack])).trim()
    : undefined;
  return connectCloud(endpoint, { attempts: 2, configuredKey: () => key });
}
