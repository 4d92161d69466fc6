import { type Stray, straysAmong } from "../../lambda/account/strays";
import { mayStillShow } from "../../lambda/launch/launcher";
import { isGone, statusOrGone } from "../../lambda/life/presence";
import { isYoung } from "../../lambda/life/young";
import { readStatus } from "../../remote/run";
import { withSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { connectStack } from "./stack-cloud";
import type { StackView } from "./stack-view";

/** What the API shows of a stack, or why nothing is known of it. */
export type AccountLook =
  | {
      /** Status of the instance in the state: `none` without one, `gone` where it does not exist any more. */
      readonly status: string;
      /** Instances that carry the stack's unique name, and that its state does not know. */
      readonly strays: readonly Stray[];
      /** By how many milliseconds the API's clock is ahead of this machine's. */
      readonly aheadMs: number;
    }
  | { readonly reason: string };

/** Asks the API for the stack's instances: by the id in the state, and by the name that it may have launched under. */
export async function instanceStatus(view: StackView): Promise<AccountLook> {
  const { instance, access, claims = { names: [], instanceIds: [] } } = view;
  // Before there is a claim nothing can have been launched.
  if (instance === undefined && claims.names.length === 0) return { status: "none", strays: [], aheadMs: 0 };
  try {
    const cloud = await connectStack(view);
    const listed = await cloud.client.listInstances();
    const strays = straysAmong(listed, claims);
    const aheadMs = cloud.clock.date() - Date.now();
    if (instance === undefined) {
      const sent = claims.names.find((name) => mayStillShow(cloud, name));
      if (strays.length > 0 || sent === undefined) return { status: "none", strays, aheadMs };
      return { reason: `a launch of ${sent} was sent a moment ago, and may still come through` };
    }
    const status = await statusOrGone(cloud, instance, access?.privateKey, listed);
    if (status !== undefined) return { status, strays, aheadMs };
    return {
      reason: isYoung(cloud, instance.launchedAt)
        ? "the API does not show it yet"
        : "the API key seems to belong to another workspace",
    };
  } catch (error) {
    return { reason: (error as Error).message };
  }
}

/** The date by the API, as far as a look has told it, in milliseconds since the epoch. */
export function dateOf(seen: AccountLook): number {
  return Date.now() + ("aheadMs" in seen ? seen.aheadMs : 0);
}

/** Whether a look has seen that the instance has ended, or is about to. Not known is no. */
export function sawGone(seen: Awaited<ReturnType<typeof instanceStatus>>): boolean {
  return "status" in seen && isGone(seen.status);
}

/** An instance's status in words, also where it is not known. */
export function statusText(seen: Awaited<ReturnType<typeof instanceStatus>>): string {
  return "status" in seen ? seen.status : `unknown (${seen.reason})`;
}

/** Status of the stack's run by its files on the instance: undefined without a run, or why they cannot be read. */
export async function runStatus(view: StackView): Promise<RunStatus | undefined | { readonly reason: string }> {
  const { access, run } = view;
  if (access === undefined || run === undefined) return undefined;
  try {
    return await withSession(access, (session) => readStatus(session, run.experiment));
  } catch (error) {
    return { reason: (error as Error).message };
  }
}
