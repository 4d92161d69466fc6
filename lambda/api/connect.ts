import { join } from "node:path";
import { Agent, type Dispatcher, EnvHttpProxyAgent } from "undici";
import { cacheFolder } from "../../local/paths";
import { LambdaClient, type LambdaClientOptions } from "./client";
import { type Clock, cloudClock } from "./clock";
import { type Endpoint, isLoopback, resolveEndpoint } from "./endpoint";
import { type Pacer, SharedPacer } from "./pacer";

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

/** How much longer than another a call may be on its way, in our time, without the two meeting the rate limit. */
const realJitterMs = 50;

/** An emulated cloud is on this machine: it answers within so many of our milliseconds, or does not. */
const emulatedTimeoutMs = 10_000;

/** Connects to an endpoint as {@link resolveEndpoint} finds it. No call is made yet. */
export function connectCloud(endpoint: string | undefined, options: ConnectOptions = {}): Cloud {
  const { configuredKey, ...rest } = options;
  const found = resolveEndpoint(endpoint, configuredKey);
  const clock = cloudClock(found.timeScale);
  const jitterMs = realJitterMs * found.timeScale;
  const identity = (): string => `${found.url} ${found.apiKey()}`;
  const client = new LambdaClient({
    ...(found.emulated ? { timeoutMs: emulatedTimeoutMs } : {}),
    ...rest,
    baseUrl: found.url,
    apiKey: found.apiKey,
    clock,
    pacer: pacerFor(found, () => new SharedPacer({ folder: join(cacheFolder(), "pace"), identity, clock, jitterMs })),
    userAgent: `lambda-train (node ${process.versions.node})`,
    dispatcher: dispatcherFor(found.url),
    unreachableHint: found.emulated
      ? "The emulated cloud doesn't answer: npm run cloud -- start (npm run cloud -- status shows its state)"
      : undefined,
  });
  return { client, clock, endpoint: found };
}

const pacers = new Map<string, Pacer>();

/** One pacer an endpoint and process: its turns hold even where no file can be shared. */
function pacerFor({ url, timeScale }: Endpoint, make: () => Pacer): Pacer {
  const key = `${timeScale} ${url}`;
  const pacer = pacers.get(key) ?? make();
  pacers.set(key, pacer);
  return pacer;
}

const dispatchers = new Map<boolean, Dispatcher>();

/** One pool of connections a process. Proxy variables count, but never for this machine itself. */
function dispatcherFor(url: string): Dispatcher {
  const direct = isLoopback(new URL(url).hostname);
  const known = dispatchers.get(direct);
  if (known !== undefined) return known;
  const limits = { connections: 4, connect: { timeout: 20_000 } };
  const made = direct ? new Agent(limits) : new EnvHttpProxyAgent(limits);
  dispatchers.set(direct, made);
  return made;
}
