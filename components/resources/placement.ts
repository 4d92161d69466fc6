import type { Instance } from "../../lambda/api/schemas";
import { Launcher } from "../../lambda/launch/launcher";
import { isRestartAsked } from "../../plan/standing";
import { hasEnded } from "../../remote/run";
import { runsThere } from "../../remote/standing";
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
 * Another placement replaces the instance. Before that happens under a running run, says so.
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
  if (changed.length === 0) return;
  const { user = "ubuntu", port = cloud.endpoint.sshPort, ...keys } = login;
  context.status("looking at the runs", `instance ${instance.id}`);
  const runs = await look({ host: instance.ip, port, user, ...keys }, runsThere).catch((error: unknown) => {
    // The guard of the results has the last word: it lets no instance go whose results it cannot bring home.
    if (isUnreachable(error)) return [];
    throw error;
  });
  const going = runs.filter(({ state }) => !hasEnded(state)).map(({ experiment }) => experiment);
  if (going.length === 0) return;
  throw new Error(
    `${going.join(", ")} runs on instance ${instance.id}, which these changes would replace: ${changed.join("; ")}. Nothing ` +
      "was changed. To apply them after the run: `npm run wait`, then `npm run up`. To apply them now: `npm run up -- " +
      "--restart` stops the run at a checkpoint, evaluates, downloads the results and launches another instance.",
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
