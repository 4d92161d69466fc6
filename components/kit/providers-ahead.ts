import { getVersion as commandVersion } from "@pulumi/command/utilities";
import * as pulumi from "@pulumi/pulumi";
import { getVersion as randomVersion } from "@pulumi/random/utilities";

/**
 * Has the engine start the providers while the plan is made. By itself it starts each when the first resource comes that
 * needs it; in any case one after another, so that those come first for which the most waits.
 */
export async function startProviders(): Promise<void> {
  const start = (name: string, options: pulumi.InvokeOptions = {}): Promise<unknown> =>
    // No provider has this function. The engine starts it in order to ask.
    pulumi.runtime.invoke(`${name}:index:none`, {}, options).catch(() => {});
  await start("pulumi-nodejs");
  await start("random", { version: randomVersion() });
  await start("command", { version: commandVersion() });
}
