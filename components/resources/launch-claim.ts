import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link LaunchClaim}. */
export interface LaunchClaimArgs {
  /** The claim's name. A change makes a new claim on launches; the old one is swept after the instance was renamed. */
  readonly name: pulumi.Input<string>;
  /** API base URL, or `emulated`. Default: Lambda. A change makes a new claim. */
  readonly endpoint?: pulumi.Input<string | undefined>;
  /** Ids of what instances use: SSH key, firewall rulesets, file systems. They are made before it, deleted after it. */
  readonly needs?: pulumi.Input<pulumi.Input<string>[] | undefined>;
}

/**
 * The claim on instances that carry the unique name. The instance takes its name from here, so that this is deleted
 * after the instance and before what instances use, which cannot be deleted as long as an instance has it: one that
 * the state never got to know too.
 */
export class LaunchClaim extends RemoteResource {
  /** The unique name. */
  declare readonly name: pulumi.Output<string>;

  constructor(name: string, args: LaunchClaimArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/launch-claim-handler", "LaunchClaim", name, { ...args }, options);
  }
}
