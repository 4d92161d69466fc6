import * as pulumi from "@pulumi/pulumi";
import { connectCloud } from "../../lambda/api/connect";
import type { FileSystem, Offer } from "../../lambda/api/schemas";
import { priceTable } from "../../lambda/launch/price-table";
import type { CloudPlan } from "../../plan/types";
import { userError } from "./user-error";

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
  const { offers, fileSystems } = await listed(cloud, configuredKey);
  const { fileSystem } = cloud;
  const there = fileSystems.find(({ name }) => name === fileSystem?.name);
  refuseElsewhere(cloud, there);
  const lines = priceTable({ ...cloud, fileSystem: fileSystem && (there ?? fileSystem) }, offers);
  await pulumi.log.info(lines.join("\n"));
}

/** @throws Error where the file system is in none of the regions. */
function refuseElsewhere({ regions }: CloudPlan, fileSystem: FileSystem | undefined): void {
  const { name, region } = fileSystem ?? {};
  if (region === undefined || regions.includes(region)) return;
  throw userError(
    `lambda-train:regions is ${JSON.stringify(regions)}, but the file system ${name} is in ${region}, and can only be ` +
      `attached there. Nothing was launched. Set regions to ["${region}"], leave it out, or name another file system.`,
  );
}

/** What the API lists now. */
interface Listed {
  /** Or why that is not known. */
  readonly offers: readonly Offer[] | string;
  /** None where the stack has none, or that is not known. */
  readonly fileSystems: readonly FileSystem[];
}

async function listed({ endpoint, fileSystem }: CloudPlan, configuredKey: string | undefined): Promise<Listed> {
  try {
    const found = connectCloud(endpoint, { configuredKey: () => configuredKey, attempts: 1, timeoutMs: patienceMs });
    if (!found.endpoint.ownKey && !process.env.LAMBDA_API_KEY && configuredKey === undefined) {
      return { offers: "there is no API key here (LAMBDA_API_KEY), and a preview needs none.", fileSystems: [] };
    }
    const { client } = found;
    const [offers, fileSystems] = await Promise.all([
      client.listInstanceTypes({ signal: AbortSignal.timeout(patienceMs) }),
      fileSystem === undefined ? [] : client.listFileSystems(),
    ]);
    return { offers, fileSystems };
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return { offers: isLate ? "the API did not answer in time." : (error as Error).message, fileSystems: [] };
  }
}
