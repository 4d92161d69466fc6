import type * as pulumi from "@pulumi/pulumi";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link SshKey}. */
export interface SshKeyArgs {
  /** Name in the account. The same name with the same key is adopted, with another key an error. A change replaces. */
  readonly name: pulumi.Input<string>;
  /** OpenSSH line. A change of more than its comment replaces. */
  readonly publicKey: pulumi.Input<string>;
  /** API base URL, or `emulated`. Default: Lambda. A change replaces. */
  readonly endpoint?: pulumi.Input<string | undefined>;
}

/** A public key that Lambda puts on instances launched with its name. */
export class SshKey extends RemoteResource {
  declare readonly name: pulumi.Output<string>;
  declare readonly publicKey: pulumi.Output<string>;

  constructor(name: string, args: SshKeyArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/ssh-key-handler", "SshKey", name, { ...args }, options);
  }
}
