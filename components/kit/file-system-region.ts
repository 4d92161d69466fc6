import { connectCloud } from "../../lambda/api/connect";
import { closest } from "../../plan/closest";
import { PlanError } from "../../plan/problems";
import type { CloudPlan, Plan } from "../../plan/types";

/** Milliseconds for the API to answer: without it, nothing can be planned. */
const patienceMs = 30_000;

/**
 * The plan with the region of its file system, where the configuration names none.
 * @param configuredKey The key in the stack's configuration.
 * @throws PlanError where nothing tells the region.
 */
export async function withRegions(plan: Plan, configuredKey: string | undefined): Promise<Plan> {
  const machines = plan.machines.map(async (machine) => {
    const { cloud } = machine;
    if (cloud.regions.length > 0 || cloud.fileSystem === undefined) return machine;
    return { ...machine, cloud: { ...cloud, regions: [await regionOf(cloud, cloud.fileSystem, configuredKey)] } };
  });
  return { ...plan, machines: await Promise.all(machines) };
}

async function regionOf(
  { endpoint }: CloudPlan,
  { name, create }: NonNullable<CloudPlan["fileSystem"]>,
  configuredKey: string | undefined,
): Promise<string> {
  const fault = (message: string, next: string): PlanError =>
    new PlanError([{ field: "lambda-train:regions", message, next }]);
  const listed = await listFileSystems(endpoint, configuredKey).catch((error: Error) => {
    throw fault(
      `the region is that of the file system ${name}, which Lambda's API alone tells: ${error.message}`,
      'Name the region, as ["us-west-1"], or see that the API can be asked (LAMBDA_API_KEY), for a preview too',
    );
  });
  const found = listed.find((each) => each.name === name);
  if (found?.region !== undefined) return found.region;
  if (create) {
    const next = 'Name the region in which the file system is to be created, as ["us-west-1"]';
    throw fault(`the file system ${name} doesn't exist yet, so it tells no region`, next);
  }
  const names = listed.map((each) => each.name);
  const near = closest(name, names);
  const known = near.length > 0 ? near.join(", ") : names.join(", ") || "none";
  throw new PlanError([
    {
      field: "lambda-train:fileSystem",
      value: name,
      message: `it does not exist. The account has: ${known}`,
      next: "Correct the name, or set createFileSystem to true and name the region in `regions`",
    },
  ]);
}

function listFileSystems(endpoint: string, configuredKey: string | undefined) {
  const { client } = connectCloud(endpoint, {
    configuredKey: () => configuredKey,
    attempts: 2,
    timeoutMs: patienceMs,
  });
  return client.listFileSystems();
}
