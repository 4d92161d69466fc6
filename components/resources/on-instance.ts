import type * as pulumi from "@pulumi/pulumi";
import type { SshAccess } from "../../remote/types";

/** What every resource that works over SSH needs. */
export interface OnInstanceArgs {
  /** Id of the instance. A change replaces the resource: the instance is another one, and empty. */
  readonly instanceId: pulumi.Input<string>;
  /** How to reach it. Secret. A change is recorded. */
  readonly access: pulumi.Input<SshAccess>;
}
