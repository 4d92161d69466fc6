import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { parseJson } from "../../local/json";
import { localFolder } from "../../local/paths";

/** Lambda's own API. */
export const productionUrl = "https://cloud.lambda.ai/api/v1";

/** Where the API is, and how to speak to it. */
export interface Endpoint {
  /** Base URL without trailing slash. */
  readonly url: string;
  /** The API key. Throws where there is none, telling how to give one. */
  readonly apiKey: () => string;
  /** How much faster than ours the cloud's time runs; 1 for a real one. */
  readonly timeScale: number;
  /** TCP port on which its instances' sshd listens. */
  readonly sshPort: number;
  /** It comes with its one key: what it does not know any more is gone, and nobody pays for what it runs. */
  readonly ownKey: boolean;
  /** Milliseconds for an answer; undefined: as long as a call over the internet may take. */
  readonly timeoutMs?: number;
  /** What to do where it cannot be reached. */
  readonly unreachableHint?: string;
}

/** The stack's configuration holds the key under this name, as a secret. */
export const apiKeyConfig = "lambda-train:apiKey";

/**
 * The key that an instance gets to end itself: LAMBDA_TRAIN_INSTANCE_API_KEY, else the stack's configuration, else the
 * endpoint's own. The emulated cloud never sees a key of the environment, which is for another.
 */
export function instanceApiKey(endpoint: Endpoint, configured: string | undefined): string {
  const given = endpoint.ownKey ? undefined : process.env.LAMBDA_TRAIN_INSTANCE_API_KEY;
  const own = (given || configured || "").trim();
  return own === "" ? endpoint.apiKey() : checkedKey(own);
}

/** The stack's configuration holds that key under this name, as a secret. */
export const instanceApiKeyConfig = "lambda-train:selfTerminateApiKey";

/**
 * Finds the endpoint: undefined for Lambda, `emulated` for the emulated cloud of this project, or a base URL. The key
 * comes from LAMBDA_API_KEY, read at each call, else from the stack's configuration; the emulated cloud has its own
 * and never sees another.
 */
export function resolveEndpoint(endpoint: string | undefined, configuredKey?: () => string | undefined): Endpoint {
  if (endpoint === "emulated") return emulatedEndpoint();
  return {
    url: validUrl(endpoint ?? productionUrl),
    apiKey: () => requireKey(configuredKey),
    timeScale: 1,
    sshPort: 22,
    ownKey: false,
  };
}

/** Who tells this machine's IPv4 address as a cloud sees it. */
export interface AddressServices {
  /** They answer with it as plain text, and are asked in turn. */
  readonly services: readonly string[];
  /** What it is where none of them answers; undefined: not known. */
  readonly otherwise?: string;
}

/** Who tells this machine's address as the cloud at an endpoint sees it. */
export function addressServicesOf(endpoint: string | undefined): AddressServices {
  if (endpoint !== "emulated") return { services: ["https://checkip.amazonaws.com", "https://api.ipify.org"] };
  // It sees this machine by its loopback address, and tells where it is made to see another.
  const otherwise = "127.0.0.1";
  try {
    return { services: [new URL("/caller-address", emulatedEndpoint().url).href], otherwise };
  } catch {
    // It does not run: a preview goes on without it.
    return { services: [], otherwise };
  }
}

const runFile = z.object({
  url: z.url(),
  apiKey: z.string().min(1),
  timeScale: z.number().positive().default(1),
  sshPort: z.number().int().positive().default(22),
});

function emulatedEndpoint(): Endpoint {
  const path = join(localFolder(), "cloud", "cloud.json");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (cause) {
    throw new Error(`The emulated cloud is not running (no ${path}). Start it: npm run cloud -- start`, { cause });
  }
  const run = runFile.safeParse(parseJson(text));
  if (!run.success) {
    throw new Error(`${path} can't be read. Restart the emulated cloud: npm run cloud -- stop, npm run cloud -- start`);
  }
  const { url, apiKey, timeScale, sshPort } = run.data;
  return {
    url: url.replace(/\/+$/, ""),
    apiKey: () => apiKey,
    timeScale,
    sshPort,
    ownKey: true,
    // On this machine an answer comes soon, or not at all.
    timeoutMs: 10_000,
    unreachableHint:
      "The emulated cloud doesn't answer: npm run cloud -- start (npm run cloud -- status shows its state)",
  };
}

function requireKey(configuredKey?: () => string | undefined): string {
  const key = (process.env.LAMBDA_API_KEY || configuredKey?.() || "").trim();
  if (key === "") {
    throw new Error(
      "No Lambda API key. Set the environment variable LAMBDA_API_KEY, or store it encrypted in the stack: " +
        `npm run pulumi -- config set --secret ${apiKeyConfig}. Keys are made at https://cloud.lambda.ai under API keys.`,
    );
  }
  return checkedKey(key);
}

/** A header with other characters would be refused with a message that holds it. */
function checkedKey(key: string): string {
  if (!/^[\x21-\x7e]+$/.test(key))
    throw new Error("The Lambda API key holds spaces or other characters that no key has.");
  return key;
}

function validUrl(endpoint: string): string {
  const url = URL.canParse(endpoint) ? new URL(endpoint) : undefined;
  const advice = `leave it out for ${productionUrl}, or set "emulated" or a base URL like it`;
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new Error(`endpoint "${endpoint}" is no URL: ${advice}.`);
  }
  if (url.username !== "" || url.password !== "" || url.search !== "" || url.hash !== "") {
    throw new Error(`endpoint must hold no user, password, query or fragment: ${advice}.`);
  }
  if (url.protocol === "http:" && !isLoopback(url.hostname)) {
    throw new Error(`endpoint "${endpoint}" would send the API key unencrypted: use https.`);
  }
  return endpoint.replace(/\/+$/, "");
}

/** True for names and addresses of this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d{1,3}){3}$/.test(hostname);
}
