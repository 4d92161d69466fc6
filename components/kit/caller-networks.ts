import * as pulumi from "@pulumi/pulumi";
import { callerAddress } from "../../lambda/account/caller-address";
import type { CloudPlan } from "../../plan/types";
import { userError } from "./user-error";

/**
 * Networks from which SSH is let in. `auto` is the address that this machine shows to the internet; where it cannot be
 * found a preview goes on without it, and an `up` says what to do.
 */
export async function callerNetworks({ endpoint, sshSources }: CloudPlan): Promise<pulumi.Output<string[]>> {
  if (sshSources !== "auto") {
    return pulumi.output(sshSources.map((network) => (network.includes("/") ? network : `${network}/32`)));
  }
  const address = await callerAddress(endpoint);
  if (address !== undefined) return pulumi.output([`${address}/32`]);
  if (pulumi.runtime.isDryRun()) return pulumi.output(pulumi.unknown as unknown as string[]);
  throw userError(
    "lambda-train:sshSources is auto, but this machine's public address can't be found. " +
      'Name it: pulumi config set --path "lambda-train:sshSources[0]" 203.0.113.7/32',
  );
}
