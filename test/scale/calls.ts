import type { LoggedCall } from "../../emulator/api/call-log";

const isRefused = ({ status }: LoggedCall): boolean => status === 429;
const isList = (call: LoggedCall): boolean => call.method === "GET" && call.path === "/instances" && !isRefused(call);
const isLaunch = ({ path }: LoggedCall): boolean => path === "/instance-operations/launch";

/** What calls of an API came to, in the cloud's seconds. */
export interface CallCounts {
  readonly calls: number;
  /** Refused for their rate. */
  readonly refused: number;
  /** Lists of all instances that weren't refused. */
  readonly lists: number;
  /** Reads of one instance by its id. */
  readonly reads: number;
  readonly launches: number;
  /** From the first launch to the last. */
  readonly launchSeconds: number;
  /** Of all calls, and of launches: the most in any second, and in any twelve. */
  readonly mostInOneSecond: number;
  readonly mostLaunchesInTwelve: number;
}

/** Counts calls, of which so many seconds of the cloud pass in one of the clock's. */
export function countsOf(calls: readonly LoggedCall[], timeScale: number): CallCounts {
  const secondsOf = (some: readonly LoggedCall[]): number[] => some.map(({ at }) => (at * timeScale) / 1000);
  const launches = secondsOf(calls.filter((call) => isLaunch(call) && call.status === 200)).sort((a, b) => a - b);
  return {
    calls: calls.length,
    refused: calls.filter(isRefused).length,
    lists: calls.filter(isList).length,
    reads: calls.filter(({ method, path }) => method === "GET" && path === "/instances/{id}").length,
    launches: launches.length,
    launchSeconds: (launches.at(-1) ?? 0) - (launches[0] ?? 0),
    mostInOneSecond: mostWithin(secondsOf(calls), 1),
    mostLaunchesInTwelve: mostWithin(launches, 12),
  };
}

function mostWithin(times: readonly number[], seconds: number): number {
  const sorted = times.toSorted((a, b) => a - b);
  let [most, from] = [0, 0];
  for (const [at, time] of sorted.entries()) {
    while ((sorted[from] ?? time) <= time - seconds) from += 1;
    most = Math.max(most, at - from + 1);
  }
  return most;
}
