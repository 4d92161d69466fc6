import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Client, type ClientChannel, utils } from "ssh2";
import { AdminClient } from "../../emulator/admin-client";
import { Cloud, type CloudOptions } from "../../emulator/cloud";

/** An answer of the API. */
export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The body as JSON; undefined where it is none. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into answers of every shape
  readonly body: any;
}

/** Calls the API. A body that is a string goes as it is. */
export async function call(
  cloud: Pick<Cloud, "url" | "apiKey">,
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

/** A cloud in memory, without machines and without rate limits, on a clock of its own. Time scale 1. */
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

export interface KeyPair {
  /** OpenSSH private key. */
  readonly private: string;
  /** OpenSSH line. */
  readonly public: string;
}

export function newKeyPair(): KeyPair {
  const pair = utils.generateKeyPairSync("ed25519");
  return { private: pair.private, public: pair.public };
}

/** Adds the key as `ci` and launches the instance type without GPU. Returns the instance's id. */
export async function launch(cloud: Cloud, changes: Record<string, unknown> = {}, key = newKeyPair()): Promise<string> {
  const keys = await call(cloud, "GET", "/ssh-keys");
  if (!keys.body.data.some((known: { name: string }) => known.name === "ci"))
    await call(cloud, "POST", "/ssh-keys", { name: "ci", public_key: key.public });
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
export const read = async (cloud: Cloud, id: string) => (await call(cloud, "GET", `/instances/${id}`)).body.data;

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
    client.once("error", reject);
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

/** Runs a command over SSH. */
export async function run(target: SshTarget, command: string): Promise<{ code: number; out: string; err: string }> {
  const client = await connect(target);
  try {
    return await new Promise((resolve, reject) => {
      client.once("error", reject);
      client.exec(command, (error: Error | undefined, channel: ClientChannel) => {
        if (error) return reject(error);
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
  } finally {
    client.end();
  }
}
