import { connect, type Socket } from "node:net";
import { Client, type ConnectConfig, type ServerHostKeyAlgorithm, utils } from "ssh2";
import type { Operation } from "../protocol/resource";
import type { Connection } from "./inputs";
import { retry } from "./retry";

// The published plugin sets no limit once TCP stands, and never probes the connection: a peer that says nothing
// would hang it for ever. These limits only end what is dead already.
const HANDSHAKE_MS = 120_000;
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_UNANSWERED = 40;

/** Connects and logs in, with the published plugin's retries. */
export function dial(connection: Connection, { signal, status }: Operation): Promise<Client> {
  const login = loginOf(connection);
  const { dialErrorLimit: limit } = connection;
  return retry(
    limit,
    signal,
    async () => logIn(login, await tcp(connection)),
    (failures) => status(`Dial ${failures}/${limit === -1 ? "inf" : limit} failed: retrying`),
  );
}

/** ssh2's settings for a connection. Throws where a key cannot be read: trying again would not help. */
function loginOf(connection: Connection): ConnectConfig {
  const { user, privateKey } = connection;
  if (privateKey !== undefined) {
    const parsed = utils.parseKey(privateKey);
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    // The parser's own message is left out: it may quote the key.
    if (key === undefined || key instanceof Error || !key.isPrivateKey())
      throw new Error("connection.privateKey is not a private key that can be read");
  }
  return {
    username: user,
    privateKey,
    readyTimeout: HANDSHAKE_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVES_UNANSWERED,
    ...hostKeySettings(connection),
    authHandler: ["none", ...(privateKey === undefined ? [] : ["publickey" as const])],
  };
}

function hostKeySettings({ hostKey }: Connection): Partial<ConnectConfig> {
  if (hostKey === undefined) return {};
  const [type = "", base64 = ""] = hostKey.trim().split(/\s+/);
  if (utils.parseKey(`${type} ${base64}`) instanceof Error)
    throw new Error('connection.hostKey is not a public key in the form "ssh-ed25519 AAAA…"');
  const expected = Buffer.from(base64, "base64");
  const signatures = type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [type];
  return {
    // A server with several host keys shows the one that is asked for.
    algorithms: { serverHostKey: signatures as ServerHostKeyAlgorithm[] },
    hostVerifier: (key: Buffer) => key.equals(expected),
  };
}

function tcp({ host, port, perDialTimeout }: Connection): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Math.trunc(port) });
    const timer =
      perDialTimeout > 0
        ? setTimeout(() => socket.destroy(new Error(`dial tcp ${host}:${port}: i/o timeout`)), perDialTimeout * 1000)
        : undefined;
    socket.once("error", (error) => {
      clearTimeout(timer);
      reject(error);
    });
    socket.once("connect", () => {
      clearTimeout(timer);
      socket.setNoDelay(true);
      resolve(socket);
    });
  });
}

function logIn(login: ConnectConfig, sock: Socket): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.on("error", (error) => {
      client.destroy();
      sock.destroy();
      reject(new Error(`ssh: handshake failed: ${error.message}`, { cause: error }));
    });
    client.once("close", () => reject(new Error("ssh: handshake failed: the server closed the connection")));
    client.once("ready", () => resolve(client));
    client.connect({ ...login, sock });
  });
}
