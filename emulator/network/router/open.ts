import { holding } from "../../api/present";
import type { CloudState } from "../../state/model";
import { isShared, sharing } from "../addresses";
import { Router } from "./router";

/** `own`: each instance has a network namespace; `shared`: all share this machine's network. */
export type NetworkKind = "own" | "shared";

/**
 * Starts the router of a cloud's instances, and says so where this machine can't have one: instances share its network
 * then. A cloud keeps its kind of network for as long as it has instances.
 *
 * @param wanted undefined: `own` where that can be
 */
export async function openRouter(
  state: CloudState,
  wanted: NetworkKind | undefined,
  log: (line: string) => void,
): Promise<Router | undefined> {
  const hasInstances = holding(state).length > 0;
  const share = (reason: string): undefined => {
    if (!hasInstances) state.network = sharing(state.network);
    log(`Instances share this machine's network, and reach what listens on its loopback address: ${reason}.`);
  };
  if (wanted === "shared") return share("this was asked for");
  if (hasInstances && isShared(state.network)) return share("those that exist already do");
  try {
    return await Router.start(state, state.network, log);
  } catch (error) {
    return share(`it gives them none of their own (${(error as Error).message})`);
  }
}
