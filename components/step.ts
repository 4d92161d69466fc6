import { remote } from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import { output } from "@pulumi/pulumi";
import type { SecretSource } from "../plan/types";
import type { SshAccess } from "../remote/types";
import { StepWithSecrets } from "./resources/step";

/** Arguments of {@link step}. */
export interface StepArgs {
  readonly access: pulumi.Input<SshAccess>;
  /** Bash text, fed to `bash -s`: not in the process list, not in error messages. A change runs it again. */
  readonly script: pulumi.Input<string>;
  /** A change of any of these replaces the command. */
  readonly triggers: pulumi.Input<string>[];
  /** Secrets of the workload that it needs on the instance. Default: none. */
  readonly secrets?: readonly SecretSource[];
}

/** A command on the instance, as the state knows it. */
export type Step = pulumi.CustomResource & { readonly stdout: pulumi.Output<string> };

/**
 * A command on the instance, by @pulumi/command. Its script is idempotent. Long work it does detached, so that a lost
 * connection ends the command and not the work, and the next `up` joins it. One that needs secrets is a resource of ours:
 * only that brings them there at each try, with nothing of them among its inputs.
 */
export function step(name: string, args: StepArgs, options: pulumi.CustomResourceOptions): Step {
  const { access, script, triggers, secrets = [] } = args;
  if (secrets.length > 0) {
    const own = { access, script, triggers, secrets: [...secrets] };
    return new StepWithSecrets(name, own, { ...options, deleteBeforeReplace: true });
  }
  return new remote.Command(
    name,
    {
      connection: output(access).apply((access) => ({
        ...access,
        // An instance that was ended elsewhere refuses or is silent: the first takes half a minute so, the other a bit
        // more than one. By now a living one has let somebody in, and the next `up` joins the work.
        dialErrorLimit: 12,
        perDialTimeout: 5,
      })),
      create: "bash -s",
      stdin: script,
      triggers,
      // The default breaks deletes whose previous output was large (pulumi-command #430).
      addPreviousOutputInEnv: false,
    },
    { ...options, deleteBeforeReplace: true },
  );
}
