import { regionsOpenTo } from "../../lambda/account/fleet-place";
import { connectStack } from "./stack-cloud";
import type { StackView } from "./stack-view";

/**
 * How many machines of a fleet the firewall doesn't let in to the others any more, because somebody changed it. 0 for one
 * machine, and where it can't be looked at.
 */
export async function shutOut(view: StackView): Promise<number> {
  const { places = [] } = view;
  if (places.length === 0) return 0;
  try {
    const cloud = await connectStack(view);
    const open = await Promise.all(places.map((place) => regionsOpenTo(cloud, place)));
    return places.filter(({ rulesetIds }, at) => (open[at]?.length ?? 0) < Object.keys(rulesetIds).length).length;
  } catch {
    return 0;
  }
}
