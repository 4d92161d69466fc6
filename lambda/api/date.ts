import { request } from "undici";
import { type Cloud, dispatcherFor } from "./connect";

const patienceMs = 4_000;

/**
 * The date by the API, in milliseconds since the epoch; asked for where no call of this process has told it. Any answer
 * tells it, also one that refuses: no key is sent. Where none comes it is this machine's own.
 */
export async function askedDate({ clock, endpoint }: Cloud): Promise<number> {
  if (clock.isTold()) return clock.date();
  const sentAt = Date.now();
  try {
    const signal = AbortSignal.timeout(patienceMs);
    const options = { method: "HEAD", dispatcher: dispatcherFor(endpoint.url), signal } as const;
    const { headers, body } = await request(endpoint.url, options);
    clock.told(Date.parse(String(headers.date)), sentAt, Date.now());
    await body.dump();
  } catch {
    // The clock stays this machine's.
  }
  return clock.date();
}
