import { createHash } from "node:crypto";
import { type Algorithms, Client, type ServerHostKeyAlgorithm, utils } from "ssh2";
import type { SshAccess } from "../types";
import { classify, hostKeyMessage, type SshError, sshError } from "./error";
import { signAtOnce } from "./login";

/** How to make a connection. */
export interface ConnectOptions {
  /** Seconds for TCP connection, handshake and login together. Default 20. */
  readonly timeoutSeconds?: number;
  /** Ends the attempt; the promise rejects with the signal's reason. */
  readonly signal?: AbortSignal;
  /** Seconds between keepalive probes. Default 15; four without an answer end the connection. */
  readonly keepaliveSeconds?: number;
}

const unansweredProbes = 4;

// AES-GCM comes first because it needs no MAC of its own and Node encrypts it in native code.
const algorithms = {
  kex: ["curve25519-sha256", "curve25519-sha256@libssh.org", "ecdh-sha2-nistp256", "diffie-hellman-group16-sha512"],
  cipher: ["aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com", "aes128-ctr"],
  hmac: ["hmac-sha2-256-etm@openssh.com", "hmac-sha2-512-etm@openssh.com", "hmac-sha2-256"],
} satisfies Algorithms;

/** A login that works: the ssh2 client, and a promise of the error that ends it (undefined: closed by us). */
export interface Connection {
  readonly client: Client;
  /** How long the line is, by one answer of the login. */
  readonly roundTripMs: number;
  readonly ended: Promise<SshError | undefined>;
}

/** Connects and logs in, with the host key pinned to `access.hostKey`. Throws {@link SshError}. */
export function dial(access: SshAccess, options: ConnectOptions = {}): Promise<Connection> {
  const { signal } = options;
  const pinned = parseHostKey(access);
  checkPrivateKey(access);
  signal?.throwIfAborted();
  return new Promise<Connection>((resolve, reject) => {
    const client = new Client();
    let ready = false;
    let roundTripMs = Number.POSITIVE_INFINITY;
    let shown: string | undefined;
    let lost: SshError | undefined;
    let end: (error: SshError | undefined) => void = () => {};
    const ended = new Promise<SshError | undefined>((settle) => {
      end = settle;
    });
    const abort = (): void => {
      client.destroy();
      reject(signal?.reason);
    };
    const fail = (error: SshError): void => {
      lost ??= error;
      if (!ready) {
        signal?.removeEventListener("abort", abort);
        client.destroy();
        reject(lost);
      }
    };
    signal?.addEventListener("abort", abort, { once: true });
    client.on("error", (error) => {
      fail(shown === undefined ? classify(access, error, ready) : wrongHostKey(access, shown, error));
    });
    client.on("close", () => {
      if (!ready) {
        const message = `${access.host}:${access.port} closed the connection before the SSH login was done.`;
        fail(sshError(access, "connect", message));
      }
      end(lost);
    });
    // Before the login: its small packets would wait for acknowledgements that come late, 160 ms in all.
    client.on("connect", () => client.setNoDelay(true));
    client.on("ready", () => {
      ready = true;
      signal?.removeEventListener("abort", abort);
      resolve({ client, roundTripMs, ended });
    });
    client.connect({
      host: access.host,
      port: access.port,
      username: access.user,
      // Nothing else is tried, not even a login without a key, which would cost a round trip.
      authHandler: ["publickey"],
      privateKey: access.privateKey,
      readyTimeout: (options.timeoutSeconds ?? 20) * 1000,
      keepaliveInterval: (options.keepaliveSeconds ?? 15) * 1000,
      keepaliveCountMax: unansweredProbes,
      algorithms: { ...algorithms, serverHostKey: pinned.algorithms },
      hostVerifier: (key: Buffer) => {
        if (key.equals(pinned.blob)) {
          return true;
        }
        shown = `the host key SHA256:${createHash("sha256").update(key).digest("base64").replace(/=+$/, "")}`;
        return false;
      },
    });
    signAtOnce(client, (milliseconds) => {
      roundTripMs = milliseconds;
    });
  });
}

function wrongHostKey(access: SshAccess, shown: string, cause: Error): SshError {
  return sshError(access, "host-key", hostKeyMessage(access, shown), { cause });
}

/** The pinned key, and the signature algorithms to ask for: a server offers several keys and shows the one asked for. */
function parseHostKey(access: SshAccess): { blob: Buffer; algorithms: ServerHostKeyAlgorithm[] } {
  const [type, base64] = access.hostKey.trim().split(/\s+/);
  if (type === undefined || base64 === undefined || utils.parseKey(`${type} ${base64}`) instanceof Error) {
    const message =
      "The instance's pinned host key is not a public key such as `ssh-ed25519 AAAA…`; the connection was not tried.";
    throw sshError(access, "host-key", message);
  }
  const wanted = type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256"] : [type];
  return { blob: Buffer.from(base64, "base64"), algorithms: wanted as ServerHostKeyAlgorithm[] };
}

function checkPrivateKey(access: SshAccess): void {
  const parsed = utils.parseKey(access.privateKey);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key === undefined || key instanceof Error || !key.isPrivateKey()) {
    // The parser's own message is left out: it may quote the key's text.
    const message =
      "The stack's SSH private key is not a private key in OpenSSH's format; the connection was not tried.";
    throw sshError(access, "auth", message);
  }
}
