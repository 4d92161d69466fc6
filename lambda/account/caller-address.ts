import { isIPv4 } from "node:net";
import { request } from "undici";
import { addressServicesOf } from "../api/endpoint";

const patienceMs = 4_000;

/** The IPv4 address at which the cloud sees this machine; undefined where it cannot be found. */
export async function callerAddress(endpoint: string | undefined): Promise<string | undefined> {
  const { services, otherwise } = addressServicesOf(endpoint);
  for (const service of services) {
    const address = await ask(service);
    if (address !== undefined) return address;
  }
  return otherwise;
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
