import { publicKeyOf } from "../account/ed25519";
import { bareKey } from "../account/key-line";
import type { Cloud } from "../api/connect";
import { type Instance, isEnding } from "../api/schemas";
import { listedInstance, readInstance } from "./read";
import { isYoung, looksUntilGone, pauseBetweenLooksSeconds } from "./young";

/** What is known of an instance from its state. */
export interface Known {
  readonly id: string;
  /** ISO 8601. */
  readonly launchedAt?: string;
}

/**
 * An instance's status as the API shows it; `gone` where it does not exist any more; undefined where that is not known.
 * A key of another workspace sees nothing of ours: only where it sees the stack's SSH key, which lives longer than the
 * instance, is an instance that it does not see gone.
 * @param privateKey The stack's SSH key, in OpenSSH format.
 * @param listed The account's instances, where they have just been read.
 */
export async function statusOrGone(
  cloud: Cloud,
  known: Known,
  privateKey: string | undefined,
  listed?: readonly Instance[],
): Promise<string | undefined> {
  const { client, endpoint } = cloud;
  const found = (listed ?? (await client.listInstances())).find(({ id }) => id === known.id);
  if (found !== undefined) return found.status;
  const first = await readInstance(cloud, known.id);
  if (first === undefined && isYoung(cloud, known.launchedAt)) return undefined;
  const read = first ?? (await readSettled(cloud, known));
  if (read !== undefined) return read.status;
  const ours = privateKey === undefined ? undefined : publicKeyOf(privateKey);
  const seen = endpoint.ownKey || (await client.listSshKeys()).some(({ publicKey }) => bareKey(publicKey) === ours);
  return seen ? "gone" : undefined;
}

/** Seconds, the cloud's and ours, in which one list is the answer to all that a refresh asks of a hundred instances. */
const refreshSeconds = 60;

/** The instance as a refresh sees it: as it was at some moment since the refresh began. Else as {@link readSettled}. */
export function readRefreshed(cloud: Cloud, known: Known, signal?: AbortSignal): Promise<Instance | undefined> {
  return readSettled(cloud, known, signal, cloud.clock.atLeast(refreshSeconds, refreshSeconds));
}

/**
 * The instance as the API shows it, by the list if that shows it. One answer that does not know it proves nothing: undefined
 * only where several do not, the last of them when it would have shown after its launch.
 */
async function readSettled(
  cloud: Cloud,
  known: Known,
  signal?: AbortSignal,
  withinSeconds?: number,
): Promise<Instance | undefined> {
  for (let look = 1; ; look += 1) {
    const instance =
      look === 1 ? await listedInstance(cloud, known.id, { withinSeconds }) : await readInstance(cloud, known.id);
    if (instance !== undefined) return instance;
    if (look >= looksUntilGone && !isYoung(cloud, known.launchedAt)) return undefined;
    await cloud.clock.sleep(pauseBetweenLooksSeconds * 1000, signal);
  }
}

/** Whether an instance of such a status has ended, or is about to. Undefined: not known, so not. */
export function isGone(status: string | undefined): boolean {
  return status === "gone" || (status !== undefined && isEnding(status));
}
