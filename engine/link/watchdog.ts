import { setTimeout as delay } from "node:timers/promises";
import { engineAlive } from "./address";

const probeSeconds = 5;

/** Longest that a call may continue for an engine that is gone: time for a launch's answer to arrive and be noted. */
const graceSeconds = 90;

let calls = 0;
let watching = false;

/** Counts a call as in flight while it runs. */
export async function inFlight<T>(run: () => Promise<T>): Promise<T> {
  calls += 1;
  try {
    return await run();
  } finally {
    calls -= 1;
  }
}

/**
 * Ends this process when its engine is gone. A provider process whose CLI was killed would otherwise stay for ever,
 * and go on with what nobody waits for any more. Calls in flight have a grace time.
 */
export function endWithEngine(end: () => void = () => process.exit(1)): void {
  if (watching) return;
  watching = true;
  void watch(end);
}

async function watch(end: () => void): Promise<void> {
  const options = { ref: false };
  while (await engineAlive()) await delay(probeSeconds * 1000, undefined, options);
  const last = Date.now() + graceSeconds * 1000;
  while (calls > 0 && Date.now() < last) await delay(200, undefined, options);
  end();
}
