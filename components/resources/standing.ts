import type * as pulumi from "@pulumi/pulumi";
import type { StandingPlan } from "../../plan/standing";
import type { Plan } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link StandingWatch}. */
export interface StandingWatchArgs extends OnInstanceArgs {
  /** What happens to a running run if the plan has changed. */
  readonly onChange: pulumi.Input<Plan["onChange"]>;
  /** The plan as the configuration has it. Secret. */
  readonly plan: pulumi.Input<StandingPlan>;
}

/** Keeps the plan of a running run in force. */
export class StandingWatch extends RemoteResource {
  /** The plan in force: the old one, as far as a running run depends on it. Secret. */
  declare readonly plan: pulumi.Output<StandingPlan>;

  constructor(name: string, args: StandingWatchArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/standing-handler", "Standing", name, { ...args }, options);
  }
}
