import { isIPv4 } from "node:net";

/** How the emulated cloud behaves. Changed at run time by the admin surface, kept on disk. */
export interface Settings {
  /** The cloud's own durations are divided by this. 60: a boot of four minutes takes four seconds. */
  timeScale: number;
  /** Durations in the cloud's seconds. */
  seconds: {
    /** Launch to `active`. Lambda says 3-5 minutes for one GPU, 10-15 for several. */
    bootCpu: number;
    bootOneGpu: number;
    bootManyGpus: number;
    /** `active` to an open SSH port. */
    sshLag: number;
    /** A restart, until `sshd` answers again. */
    restart: number;
    /** `terminating` to `terminated`; undocumented, so this is a guess. */
    terminating: number;
    /** How long a terminated instance can still be read by id. */
    terminated: number;
  };
  rateLimit: {
    enabled: boolean;
    /** Cloud seconds between calls of one key, and between its launches. */
    generalSeconds: number;
    launchSeconds: number;
    /** Calls that may come at once after a pause. */
    burst: number;
    /** Send `Retry-After` with a 429. Lambda was never seen to. */
    retryAfter: boolean;
    /** Send the JSON envelope with a 429 in place of the edge's text. */
    json: boolean;
  };
  quota: {
    instances: number;
    sshKeys: number;
    fileSystems: number;
    fileSystemsPerInstance: number;
    rulesets: number;
  };
  caller: {
    /** IPv4 address at which the cloud sees this machine: another one, to play a caller who has moved. */
    address: string;
  };
  network: {
    /** Ports of this machine's 127.0.0.1 that instances reach there: a proxy, a package index, a server with data. */
    hostPorts: number[];
  };
  account: {
    /** `inactive`: every call is refused; `invalid-address`: launch and file system creation are. */
    state: "good" | "inactive" | "invalid-address";
  };
  quirks: {
    /** A second terminate of an instance: `error` answers 500 `global/unknown`, as seen in practice. */
    doubleTerminate: "error" | "ok";
    /** Whether an instance may be terminated while booting. */
    terminateWhileBooting: boolean;
  };
}

/** Settings of a new cloud. */
export function defaultSettings(timeScale = 60): Settings {
  return {
    timeScale,
    seconds: {
      bootCpu: 120,
      bootOneGpu: 240,
      bootManyGpus: 600,
      sshLag: 5,
      restart: 60,
      terminating: 30,
      terminated: 600,
    },
    rateLimit: { enabled: true, generalSeconds: 1, launchSeconds: 12, burst: 1, retryAfter: false, json: false },
    quota: {
      instances: 128,
      sshKeys: 1024,
      fileSystems: 24,
      fileSystemsPerInstance: 1,
      rulesets: 128,
    },
    caller: { address: "127.0.0.1" },
    network: { hostPorts: [] },
    account: { state: "good" },
    quirks: { doubleTerminate: "error", terminateWhileBooting: true },
  };
}

/** Any part of the settings. */
export type SettingsPatch = { [K in keyof Settings]?: Settings[K] extends object ? Partial<Settings[K]> : Settings[K] };

/**
 * Lays a patch over settings and returns the result.
 *
 * @throws Error naming the field, where a field is unknown or has a value of another type.
 */
export function patchSettings(settings: Settings, patch: SettingsPatch): Settings {
  return overlay(settings, patch, "") as Settings;
}

function overlay(base: unknown, patch: unknown, path: string): unknown {
  if (Array.isArray(base)) {
    if (!Array.isArray(patch) || !patch.every(isPort))
      throw new Error(`Setting ${path} must be a list of ports from 1 to 65535, not ${show(patch)}.`);
    return patch;
  }
  if (typeof base !== "object" || base === null) {
    if (typeof patch !== typeof base) throw new Error(`Setting ${path} must be a ${typeof base}, not ${show(patch)}.`);
    if (typeof patch === "number" && !(patch >= 0 && Number.isFinite(patch)))
      throw new Error(`Setting ${path} must be a number from 0, not ${patch}.`);
    if (path === "timeScale" && patch === 0) throw new Error("Setting timeScale must be above 0.");
    if (path === "caller.address") {
      if (!isIPv4(String(patch))) throw new Error(`Setting ${path} must be an IPv4 address, not ${show(patch)}.`);
    } else if (typeof patch === "string" && !allowed[path]?.includes(patch))
      throw new Error(`Setting ${path} must be one of ${allowed[path]?.join(", ")}, not ${show(patch)}.`);
    return patch;
  }
  if (typeof patch !== "object" || patch === null || Array.isArray(patch))
    throw new Error(`Setting ${path || "(all)"} must be an object, not ${show(patch)}.`);
  const result: Record<string, unknown> = { ...base };
  for (const [key, value] of Object.entries(patch)) {
    if (!(key in result))
      throw new Error(`No setting ${join(path, key)}. Known here: ${Object.keys(base).map((k) => join(path, k))}.`);
    if (value !== undefined) result[key] = overlay(result[key], value, join(path, key));
  }
  return result;
}

const allowed: Record<string, readonly string[]> = {
  "account.state": ["good", "inactive", "invalid-address"],
  "quirks.doubleTerminate": ["error", "ok"],
};

const isPort = (value: unknown): value is number =>
  typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= 65_535;

const join = (path: string, key: string) => (path ? `${path}.${key}` : key);
const show = (value: unknown) => JSON.stringify(value);
