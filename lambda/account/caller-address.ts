import { isIPv4 } from "node:net";
import { request } from "undici";
import { resolveEndpoint } from "../api/endpoint";

/** Services that answer with the caller's address as plain text. */
const addressServices = ["https://checkip.amazonaws.com", "https://api.ipify.org"];

const patienceMs = 4_000;

/** The IPv4 address at which the cloud sees this machine; undefined where it cannot be found. */
export async function callerAddress(endpoint: string | undefined): Promise<string | undefined> {
  // The emulated cloud sees this machine by its loopback address, and tells where it is made to see another.
  if (endpoint === "emulated") return (await askEmulated()) ?? "127.0.0.1";
  for (const service of addressServices) {
    const address = await ask(service);
    if (address !== undefined) return address;
  }
  return undefined;
}

async function askEmulated(): Promise<string | undefined> {
  try {
    return await ask(new URL("/caller-address", resolveEndpoint("emulated").url).href);
  } catch {
    // It isn't running: a preview continues without it.
    return undefined;
  }
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
