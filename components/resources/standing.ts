import type * as pulumi from "@pulumi/pulumi";
import type { StandingPlan } from "../../plan/standing";
import type { Plan } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link StandingWatch}. */
export interface StandingWatchArgs extends OnInstanceArgs {
  /** What becomes of a run that goes on, where the plan has changed. */
  readonly onChange: pulumi.Input<Plan["onChange"]>;
  /** The plan as the configuration has it. Secret. */
  readonly plan: pulumi.Input<StandingPlan>;
}

/** Keeps the plan of a run that goes on in force. */
export class StandingWatch extends RemoteResource {
  /** The plan that is in force: the old one, as far as a run goes on that stands on it. Secret. */
  declare readonly plan: pulumi.Output<StandingPlan>;

  constructor(name: string, args: StandingWatchArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/standing-handler", "Standing", name, { ...args }, options);
  }
}
