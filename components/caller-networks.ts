import { isIPv4 } from "node:net";
import * as pulumi from "@pulumi/pulumi";
import { request } from "undici";
import type { CloudPlan } from "../plan/types";
import { userError } from "./user-error";

/** Services that answer with the caller's address as plain text. Only asked where `sshSources` is `auto`. */
const addressServices = ["https://checkip.amazonaws.com", "https://api.ipify.org"];

const patienceMs = 4_000;

/**
 * Networks from which SSH is let in. `auto` is the address that this machine shows to the internet; where it cannot be
 * found a preview goes on without it, and an `up` says what to do.
 */
export async function callerNetworks({ endpoint, sshSources }: CloudPlan): Promise<pulumi.Output<string[]>> {
  if (sshSources !== "auto") {
    return pulumi.output(sshSources.map((network) => (network.includes("/") ? network : `${network}/32`)));
  }
  // The emulated cloud sees this machine by its loopback address.
  if (endpoint === "emulated") return pulumi.output(["127.0.0.1/32"]);
  for (const service of addressServices) {
    const address = await ask(service);
    if (address !== undefined) return pulumi.output([`${address}/32`]);
  }
  if (pulumi.runtime.isDryRun()) return pulumi.output(pulumi.unknown as unknown as string[]);
  throw userError(
    "lambda-train:sshSources is auto, and the address that this machine shows to the internet cannot be found. " +
      'Name it: pulumi config set --path "lambda-train:sshSources[0]" 203.0.113.7/32',
  );
}

async function ask(service: string): Promise<string | undefined> {
  try {
    const { statusCode, body } = await request(service, { signal: AbortSignal.timeout(patienceMs) });
    const text = (await body.text()).trim();
    return statusCode === 200 && isIPv4(text) ? text : undefined;
  } catch {
    return undefined;
  }
}
