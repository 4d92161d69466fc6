import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientChannel } from "ssh2";
import { AdminClient } from "../../emulator/admin-client";
import { Cloud, type CloudOptions } from "../../emulator/cloud";
import { newEd25519 } from "../../lambda/account/ed25519";

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** What it takes to call the API. */
export type Reachable = Pick<Cloud, "url" | "apiKey">;

/** Calls the API. A body that is a string goes as it is. */
export async function call(
  cloud: Reachable,
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await fetch(cloud.url + path, {
    method,
    headers: { authorization: `Bearer ${cloud.apiKey}`, ...headers },
    ...(body !== undefined && { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, headers: response.headers, text, body: json };
}

/** A clock that moves only when told to. */
export class Clock {
  ms = Date.parse("2026-11-24T12:00:00Z");
  readonly now = (): number => this.ms;
  advance(seconds: number): void {
    this.ms += seconds * 1000;
  }
}

/**
 * A cloud in memory, without machines and without rate limits, on a clock of its own. Time scale 1. For tests of the
 * emulated cloud itself, one call after the other: its limits have tests of their own.
 */
export async function apiCloud(
  options: CloudOptions = {},
): Promise<{ cloud: Cloud; admin: AdminClient; clock: Clock }> {
  const clock = new Clock();
  const cloud = await Cloud.start({ timeScale: 1, now: clock.now, ...options });
  const admin = new AdminClient(cloud.adminUrl);
  await admin.patchSettings({ rateLimit: { enabled: false } });
  return { cloud, admin, clock };
}

/** A folder that is gone after the test. */
export function temporaryFolder(): { folder: string; remove: () => void } {
  const folder = mkdtempSync(join(tmpdir(), "lambda-cloud-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}

/** A new Ed25519 key pair. */
export const newKeyPair = newEd25519;

/** Adds the key as `ci` and launches the instance type without GPU. Returns the instance's id. */
export async function launch(
  cloud: Reachable,
  changes: Record<string, unknown> = {},
  key = newKeyPair(),
): Promise<string> {
  const keys = await call(cloud, "GET", "/ssh-keys");
  if (!keys.body.data.some((known: { name: string }) => known.name === "ci")) {
    // Where the cloud's time runs fast, the list and this come within one of its seconds now and then. Of two launches side by
    // side the other may have added it.
    const added = { name: "ci", public_key: key.publicKey };
    await until("key added", async () => (await call(cloud, "POST", "/ssh-keys", added)).status !== 429);
  }
  const answer = await call(cloud, "POST", "/instance-operations/launch", {
    region_name: "us-east-1",
    instance_type_name: "cpu_4x_general",
    ssh_key_names: ["ci"],
    ...changes,
  });
  if (answer.status !== 200) throw new Error(`The launch failed: ${answer.text}`);
  return answer.body.data.instance_ids[0];
}

/** Reads an instance. */
export const read = async (cloud: Reachable, id: string) => (await call(cloud, "GET", `/instances/${id}`)).body.data;

/** Waits until something is so. */
export async function until<T>(what: string, look: () => Promise<T | undefined | false>, ms = 15_000): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const found = await look();
    if (found !== undefined && found !== false) return found;
    if (Date.now() > deadline) throw new Error(`Not within ${ms} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
}

export interface SshTarget {
  readonly host: string;
  readonly port: number;
  readonly privateKey: string;
  /** OpenSSH line of the host key that must be shown. Undefined: any. */
  readonly hostKey?: string;
}

/** Opens an SSH connection. Rejects where the host key is another one. */
export function connect(target: SshTarget, readyTimeout = 10_000): Promise<Client> {
  const wanted = target.hostKey?.split(" ")[1];
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.once("ready", () => resolve(client));
    // An error after the connection is made shows as its close.
    client.on("error", (error) => {
      client.destroy();
      reject(error);
    });
    client.connect({
      host: target.host,
      port: target.port,
      username: "ubuntu",
      privateKey: target.privateKey,
      readyTimeout,
      ...(wanted && { hostVerifier: (key: Buffer) => key.toString("base64") === wanted }),
    });
  });
}

export interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a command over an open connection. */
export function exec(client: Client, command: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error: Error | undefined, channel: ClientChannel) => {
      if (error) {
        reject(error);
        return;
      }
      let [out, err] = ["", ""];
      channel.on("data", (chunk: Buffer) => {
        out += chunk;
      });
      channel.stderr.on("data", (chunk: Buffer) => {
        err += chunk;
      });
      channel.on("close", (code: number) => resolve({ code, out, err }));
    });
  });
}

/** Settles when a connection is over, however it ends. */
export const closed = (client: Client): Promise<void> =>
  new Promise((resolve) => {
    client.on("close", () => resolve());
  });

/** How many processes of this machine run `sleep <argument>`. */
export function sleepers(argument: string): number {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => readOrNothing(`/proc/${pid}/cmdline`) === `sleep\0${argument}\0`).length;
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // It ended meanwhile.
  }
}

/** How many network namespaces there are in which processes of this one live, besides its own. */
export function networkNamespaces(): number {
  const parents = new Map<number, number>();
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name)))
    parents.set(Number(pid), Number(/\) \S (\d+)/.exec(readOrNothing(`/proc/${pid}/stat`))?.[1] ?? 0));
  const isOurs = (pid: number): boolean => pid === process.pid || (pid > 1 && isOurs(parents.get(pid) ?? 0));
  const own = readlinkSync("/proc/self/ns/net");
  const found = [...parents.keys()].filter(isOurs).flatMap((pid) => {
    try {
      return [readlinkSync(`/proc/${pid}/ns/net`)];
    } catch {
      return []; // It has ended meanwhile.
    }
  });
  return new Set(found.filter((one) => one !== own)).size;
}
