import type * as pulumi from "@pulumi/pulumi";
import type { SecretSource } from "../../plan/types";
import type { SshAccess } from "../../remote/types";
import { RemoteResource } from "../dynamic/resource";

/** Arguments of {@link StepWithSecrets}. */
export interface StepWithSecretsArgs {
  /** How to reach the instance. Secret. A change is recorded. */
  readonly access: pulumi.Input<SshAccess>;
  /** Bash text, fed to `bash -s`. A change runs it again. */
  readonly script: pulumi.Input<string>;
  /** A change of any of these replaces the command. */
  readonly triggers: pulumi.Input<string>[];
  /** Their names, and where this machine may have them. A change is recorded. */
  readonly secrets: SecretSource[];
}

/**
 * A command on the instance for which secrets are brought there. Their values are no input: they go from the environment,
 * the configuration or a file straight to the instance.
 */
export class StepWithSecrets extends RemoteResource {
  /** All that it printed. */
  declare readonly stdout: pulumi.Output<string>;

  constructor(name: string, args: StepWithSecretsArgs, options?: pulumi.CustomResourceOptions) {
    super("components/resources/step-handler", "Step", name, { stdout: undefined, ...args }, options);
  }
}
