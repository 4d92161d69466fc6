import { isGone, statusOrGone } from "../../components/lambda/presence";
import { readStatus } from "../../remote/run";
import { withSession } from "../../remote/session";
import type { RunStatus } from "../../remote/types";
import { connectStack } from "./stack-cloud";
import type { StackView } from "./stack-view";

/** Status of the stack's instance by the API: `none` without one, `gone`, or why the API cannot be asked. */
export async function instanceStatus(
  view: StackView,
): Promise<{ readonly status: string } | { readonly reason: string }> {
  if (view.instance === undefined) return { status: "none" };
  try {
    const cloud = await connectStack(view);
    const status = await statusOrGone(cloud, view.instance.id, view.access?.privateKey);
    return status === undefined ? { reason: "the API key seems to belong to another workspace" } : { status };
  } catch (error) {
    return { reason: (error as Error).message };
  }
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
