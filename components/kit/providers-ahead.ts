import { getVersion as commandVersion } from "@pulumi/command/utilities";
import * as pulumi from "@pulumi/pulumi";
import { getVersion as randomVersion } from "@pulumi/random/utilities";

/**
 * Has the engine start the providers while the plan is made. By itself it starts each when the first resource comes that
 * needs it, one after another.
 */
export function startProviders(): void {
  const ask = (name: string, options: pulumi.InvokeOptions = {}): void => {
    // No provider has this function. The engine starts it in order to ask.
    pulumi.runtime.invoke(`${name}:index:none`, {}, options).catch(() => {});
  };
  ask("pulumi-nodejs");
  ask("random", { version: randomVersion() });
  ask("command", { version: commandVersion() });
}
