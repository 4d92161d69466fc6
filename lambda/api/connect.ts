import { join } from "node:path";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { cacheFolder } from "../../local/paths";
import { LambdaClient, type LambdaClientOptions } from "./client";
import { type Clock, cloudClock } from "./clock";
import { type Endpoint, isLoopback, resolveEndpoint } from "./endpoint";
import { type Pacer, SharedPacer } from "./pacer";
import { SharedReads } from "./shared-reads";

/** A cloud to work with: its client, its time, its endpoint. */
export interface Cloud {
  readonly client: LambdaClient;
  readonly clock: Clock;
  readonly endpoint: Endpoint;
}

export interface ConnectOptions extends Pick<LambdaClientOptions, "attempts" | "onRetry" | "timeoutMs"> {
  /** The key in the stack's configuration; LAMBDA_API_KEY goes before it. */
  readonly configuredKey?: () => string | undefined;
}

/** How much longer than another a call may be on its way, in our seconds, without the two meeting the rate limit. */
const realJitterSeconds = 0.05;

/** Connects to an endpoint as {@link resolveEndpoint} finds it. No call is made yet. */
export function connectCloud(endpoint: string | undefined, options: ConnectOptions = {}): Cloud {
  const { configuredKey, ...rest } = options;
  const found = resolveEndpoint(endpoint, configuredKey);
  const { url, timeScale } = found;
  const key = `${timeScale} ${url}`;
  const clock = madeOnce(clocks, key, () => cloudClock(timeScale));
  const jitterMs = clock.atLeast(0, realJitterSeconds) * 1000;
  const identity = (): string => `${url} ${found.apiKey()}`;
  const client = new LambdaClient({
    timeoutMs: found.timeoutMs,
    ...rest,
    baseUrl: url,
    apiKey: found.apiKey,
    clock,
    pacer: madeOnce(
      pacers,
      key,
      () => new SharedPacer({ folder: join(cacheFolder(), "pace"), identity, clock, jitterMs }),
    ),
    reads: madeOnce(reads, key, () => new SharedReads(() => clock.now())),
    onDate: clock.told,
    userAgent: `lambda-train (node ${process.versions.node})`,
    dispatcher: dispatcherFor(url),
    unreachableHint: found.unreachableHint,
  });
  return { client, clock, endpoint: found };
}

/** One clock an endpoint and process: what one connection hears of the API's date, all know. */
const clocks = new Map<string, Clock>();

/** One pacer an endpoint and process: its turns hold even where no file can be shared. */
const pacers = new Map<string, Pacer>();

/** What is asked of an endpoint, by all connections of this process. */
const reads = new Map<string, SharedReads>();

const dispatchers = new Map<boolean, Dispatcher>();

/** One pool of connections a process. Proxy variables count, but never for this machine itself. */
export function dispatcherFor(url: string): Dispatcher {
  const direct = isLoopback(new URL(url).hostname);
  const limits = { connections: 4, connect: { timeout: 20_000 } };
  return madeOnce(dispatchers, direct, () => (direct ? new Agent(limits) : new EnvHttpProxyAgent(limits)));
}

function madeOnce<K, V>(known: Map<K, V>, key: K, make: () => V): V {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
