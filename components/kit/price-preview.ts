import * as pulumi from "@pulumi/pulumi";
import { connectCloud } from "../../lambda/api/connect";
import type { Offer } from "../../lambda/api/schemas";
import { priceTable } from "../../lambda/launch/price-table";
import type { CloudPlan } from "../../plan/types";

/** Milliseconds for the API to answer a preview, which needs it for nothing else. */
const patienceMs = 10_000;

/**
 * In a preview: prints what a launch would try and what it would cost, with live prices where there is a key and the API
 * answers. One table for all machines, which are alike. Prints nothing where every instance is there already and stays.
 * @param machines Of each, what is launched and the id: known in a preview only of an instance that stays.
 * @param configuredKey The key in the stack's configuration.
 */
export async function previewPrices(
  machines: readonly { readonly cloud: CloudPlan; readonly instanceId: pulumi.Output<string> }[],
  configuredKey?: string,
): Promise<void> {
  if (!pulumi.runtime.isDryRun()) return;
  // Outputs tell whether they are known, which their type does not show.
  const stays = await Promise.all(
    machines.map(({ instanceId }) => (instanceId as unknown as { readonly isKnown: Promise<boolean> }).isKnown),
  );
  const [first] = machines.filter((_, at) => stays[at] !== true);
  if (first === undefined) return;
  const { cloud } = first;
  const offers = await listed(cloud, configuredKey);
  const lines = priceTable({ ...cloud, fileSystem: cloud.fileSystem !== undefined }, offers);
  await pulumi.log.info(lines.join("\n"));
}

/** What the API lists now, or why that is not known. */
async function listed({ endpoint }: CloudPlan, configuredKey: string | undefined): Promise<readonly Offer[] | string> {
  try {
    const found = connectCloud(endpoint, { configuredKey: () => configuredKey, attempts: 1, timeoutMs: patienceMs });
    if (!found.endpoint.ownKey && !process.env.LAMBDA_API_KEY && configuredKey === undefined) {
      return "there is no API key here (LAMBDA_API_KEY), and a preview needs none.";
    }
    return await found.client.listInstanceTypes({ signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    return error instanceof Error && error.name === "TimeoutError"
      ? "the API did not answer in time."
      : (error as Error).message;
  }
}
