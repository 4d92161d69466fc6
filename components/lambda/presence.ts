import type { Cloud } from "./api/connect";
import { isEnding } from "./api/schemas";
import { publicKeyOf } from "./ed25519";
import { bareKey } from "./key-line";

/**
 * An instance's status as the API lists it; `gone` where it does not exist any more; undefined where that is not known.
 * A key of another workspace sees nothing of ours: only where it sees the stack's SSH key, which lives longer than the
 * instance, is an instance that it does not see gone.
 * @param privateKey The stack's SSH key, in OpenSSH format.
 */
export async function statusOrGone(
  { client, endpoint }: Cloud,
  instanceId: string,
  privateKey: string | undefined,
): Promise<string | undefined> {
  const found = (await client.listInstances()).find(({ id }) => id === instanceId);
  if (found !== undefined) return found.status;
  const ours = privateKey === undefined ? undefined : publicKeyOf(privateKey);
  const seen = endpoint.emulated || (await client.listSshKeys()).some(({ publicKey }) => bareKey(publicKey) === ours);
  return seen ? "gone" : undefined;
}

/** Whether an instance of such a status has ended, or is about to. Undefined: not known, so not. */
export function isGone(status: string | undefined): boolean {
  return status === "gone" || (status !== undefined && isEnding(status));
}
