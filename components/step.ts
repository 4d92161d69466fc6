import { remote } from "@pulumi/command";
import type * as pulumi from "@pulumi/pulumi";
import { output } from "@pulumi/pulumi";
import type { SshAccess } from "../remote/types";

/** Arguments of {@link step}. */
export interface StepArgs {
  readonly access: pulumi.Input<SshAccess>;
  /** Bash text, fed to `bash -s`: not in the process list, not in error messages. A change runs it again. */
  readonly script: pulumi.Input<string>;
  /** A change of any of these replaces the command. */
  readonly triggers: pulumi.Input<string>[];
}

/**
 * A command on the instance, by @pulumi/command. Its script is idempotent. Long work it does detached, so that a lost
 * connection ends the command and not the work, and the next `up` joins it.
 */
export function step(name: string, args: StepArgs, options: pulumi.CustomResourceOptions): remote.Command {
  return new remote.Command(
    name,
    {
      connection: output(args.access).apply((access) => ({
        ...access,
        // An instance that was ended elsewhere refuses or is silent: the first takes half a minute so, the other a bit
        // more than one. By now a living one has let somebody in, and the next `up` joins the work.
        dialErrorLimit: 12,
        perDialTimeout: 5,
      })),
      create: "bash -s",
      stdin: args.script,
      triggers: args.triggers,
      // The default breaks deletes whose previous output was large (pulumi-command #430).
      addPreviousOutputInEnv: false,
    },
    { ...options, deleteBeforeReplace: true },
  );
}
