import type { CallOptions } from "../api/client";
import type { Cloud } from "../api/connect";
import { isKind } from "../api/errors";
import type { Instance } from "../api/schemas";

/** The instance, or undefined where the API does not know it (any more). */
export async function readInstance(cloud: Cloud, id: string, signal?: AbortSignal): Promise<Instance | undefined> {
  try {
    return await cloud.client.getInstance(id, { signal });
  } catch (error) {
    if (isKind(error, "not-found")) return undefined;
    throw error;
  }
}

/**
 * The instance by the list, an answer that all who wait for one share; by its id where the list doesn't show it.
 * Undefined where neither knows it.
 */
export async function listedInstance(
  cloud: Cloud,
  id: string,
  options: Pick<CallOptions, "signal" | "withinSeconds"> = {},
): Promise<Instance | undefined> {
  const listed = (await cloud.client.listInstances(options)).find((each) => each.id === id);
  return listed ?? (await readInstance(cloud, id, options.signal));
}
