import type { Cloud } from "../api/connect";

/**
 * A key of another workspace sees nothing of ours: what looks gone would run on, forgotten. Our SSH key lives as long
 * as the instance, so that where neither is seen the API key is in doubt.
 */
export async function requireOurWorkspace(cloud: Cloud, id: string, sshKeyName: string | undefined): Promise<void> {
  if (cloud.endpoint.ownKey || sshKeyName === undefined) return;
  const keys = await cloud.client.listSshKeys();
  if (keys.some(({ name }) => name === sshKeyName)) return;
  throw new Error(
    `Lambda knows neither instance ${id} nor SSH key ${sshKeyName}: the API key seems to belong to another workspace, and ` +
      "the instance may run on. Use a key of the workspace in which it was launched. If both were deleted by hand, " +
      "remove the instance from the state with `npm run pulumi -- state delete`.",
  );
}
