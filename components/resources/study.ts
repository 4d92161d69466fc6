import type * as pulumi from "@pulumi/pulumi";
import type { BucketPlace, EvaluationPlan, SecretSource } from "../../plan/types";
import { RemoteResource } from "../dynamic/resource";
import type { Login } from "./claim";
import type { OnInstanceArgs } from "./on-instance";

/** Arguments of {@link StudyPlace}. */
export interface StudyPlaceArgs extends OnInstanceArgs {
  readonly endpoint: pulumi.Input<string>;
  /** Name of the sweep's experiment. A change makes another study. */
  readonly experiment: pulumi.Input<string>;
  /** Name of the machine that has the study. */
  readonly study: pulumi.Input<string>;
  /** What the study is told of the sweep. Values that come are queued, values that go are withdrawn. */
  readonly definition: pulumi.Input<object>;
  /** Name of the sweep's metric, and how a trial is evaluated: what is at home tells what it came to. */
  readonly metric: pulumi.Input<string>;
  readonly evaluation?: pulumi.Input<EvaluationPlan | undefined>;
  /** Local folder of the stack's results, relative to the project. */
  readonly directory: pulumi.Input<string>;
  /** Where trials count as at home, and which secrets hold its keys. Default: at home alone. */
  readonly bucket?: pulumi.Input<BucketPlace>;
  readonly secrets?: pulumi.Input<readonly SecretSource[]>;
  /** All machines of the fleet, by their unique names: where one is launched, it is asked for what it knows. Secret. */
  readonly members: pulumi.Input<{ readonly machine: string; readonly name: string; readonly login: Login }[]>;
  /**
   * Ids of the fleet's instances. What one had that is gone is run again, unless it is at home. Default: nothing is told of
   * lost ones.
   */
  readonly instanceIds?: pulumi.Input<string[]>;
}

/** The study of a sweep on one machine of a fleet. It moves there with all that is known of it. */
export class StudyPlace extends RemoteResource {
  constructor(name: string, args: StudyPlaceArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/study-handler", "Study", name, { ...args }, options);
  }
}
