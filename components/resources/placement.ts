import type { Instance } from "../../lambda/api/schemas";
import { Launcher } from "../../lambda/launch/launcher";
import { isRestartAsked } from "../../plan/standing";
import { hasEnded } from "../../remote/run";
import { runsThere } from "../../remote/standing";
import type { RunStatus } from "../../remote/types";
import { sameValue } from "../dynamic/diff";
import type { HandlerContext } from "../dynamic/handler";
import { otherPlace } from "./adoption";
import type { Login, Placement } from "./claim";
import { connect } from "./cloud";
import { isUnreachable, look } from "./place";

/** What a claim knows of its instance. */
export interface Placed {
  readonly name: string;
  readonly endpoint?: string;
  readonly placement?: Placement;
  readonly login?: Login;
}

/**
 * Another placement replaces the instance, or launches others beside it. Before that happens under a running run, says so.
 * @throws Error where a run goes on, and nobody has asked for its restart.
 */
export async function requireNoRun(olds: Placed, news: Placed, context: HandlerContext): Promise<void> {
  const { placement, login } = news;
  if (placement === undefined || login === undefined) return;
  if (isRestartAsked() || placement.onChange === "restart") return;
  const cloud = connect(news.endpoint, context);
  const instance = await new Launcher(cloud, news.name, context).find();
  if (instance?.ip === undefined) return;
  const changed = replacing(instance, olds.placement, placement);
  const { nodes = 1 } = placement;
  const mayGrow = nodes > 1 && nodes !== olds.placement?.nodes;
  if (changed.length === 0 && !mayGrow) return;
  const { user = "ubuntu", port = cloud.endpoint.sshPort, ...keys } = login;
  context.status("looking at the runs", `instance ${instance.id}`);
  const runs = await look({ host: instance.ip, port, user, ...keys }, runsThere).catch((error: unknown) => {
    // The guard of the results has the last word: it lets no instance go whose results it cannot bring home.
    if (isUnreachable(error) && !mayGrow) return [];
    throw error;
  });
  const going = runs.filter(({ state }) => !hasEnded(state));
  const [smaller] = going.filter((run) => (run.nodes ?? 1) < nodes);
  if (changed.length > 0 && going.length > 0) throw new Error(replacedText(going, { id: instance.id, changed }));
  if (mayGrow && smaller !== undefined) throw new Error(grownText(smaller, nodes));
}

function replacedText(
  going: readonly RunStatus[],
  { id, changed }: { readonly id: string; readonly changed: readonly string[] },
): string {
  return (
    `${going.map(({ experiment }) => experiment).join(", ")} runs on instance ${id}, which these changes would replace: ${changed.join("; ")}. Nothing ` +
    "was changed. To apply them after the run: `npm run wait`, then `npm run up`. To apply them now: `npm run up -- " +
    "--restart` stops the run at a checkpoint, evaluates, downloads the results and launches another instance."
  );
}

function grownText({ experiment, nodes = 1 }: RunStatus, next: number): string {
  const machines = nodes === 1 ? "1 machine" : `${nodes} machines`;
  return (
    `${experiment} still trains on ${machines}, and train.nodes is now ${next}. Nothing was launched. Wait for its end ` +
    "(`npm run wait`) or stop it at a checkpoint (`npm run stop`), then run `npm run up` again."
  );
}

/** What replaces an instance, in words: what it is not, and what else was told at its launch. */
function replacing(instance: Instance, old: Placement | undefined, next: Placement): string[] {
  const found = otherPlace(instance, next);
  if (old === undefined) return found;
  // Named for the first time, it may be what is there; which image that was is not in the state.
  const image = next.imageFamily !== undefined && next.imageFamily !== old.imageFamily;
  if (image && !found.some((words) => words.includes("imageFamily")))
    found.push(`imageFamily is ${next.imageFamily} now`);
  if (!sameValue(old.recoveryKeys, next.recoveryKeys))
    found.push("recoveryKeys has changed, and keys are set at the launch");
  return found;
}
