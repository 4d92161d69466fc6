import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link FleetAccess}. Each but the endpoint changes in place. */
export interface FleetAccessArgs {
  /** API base URL, or `emulated`. Default: Lambda. A change replaces. */
  readonly endpoint?: pulumi.Input<string | undefined>;
  /** Firewall rulesets of the stack's machines, by region. */
  readonly rulesetIds: pulumi.Input<Record<string, pulumi.Input<string>>>;
  /** Region of this machine. */
  readonly region: pulumi.Input<string>;
  /** Its public address. */
  readonly ip: pulumi.Input<string>;
  /** Its address among instances of the region; may be empty. */
  readonly privateIp: pulumi.Input<string>;
  /** Whether the others let it in at each port, not at SSH's alone. */
  readonly allPorts?: pulumi.Input<boolean | undefined>;
}

/** A machine's way in to the others of its stack: firewall rules of its address alone. */
export class FleetAccess extends RemoteResource {
  constructor(name: string, args: FleetAccessArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/fleet-access-handler", "FleetAccess", name, { ...args }, options);
  }
}
