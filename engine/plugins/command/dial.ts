import { connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type AuthenticationType, Client, type ConnectConfig, type ServerHostKeyAlgorithm, utils } from "ssh2";
import type { Connection, Endpoint } from "./inputs";
import { retry } from "./retry";

// The published plugin sets no limit once TCP stands, and never probes the connection: a peer that says nothing
// would hang it for ever. These limits only end what is dead already.
const HANDSHAKE_MS = 120_000;
const KEEPALIVE_MS = 15_000;
const KEEPALIVES_UNANSWERED = 40;

export interface DialOptions {
  readonly signal: AbortSignal;
  status(line: string): void;
}

/** An open connection; `close` ends it and the proxy's connection under it. */
export interface Dialed {
  readonly client: Client;
  close(): void;
}

/** Connects and logs in, through the proxy where there is one, with the published plugin's retries. */
export async function dial(connection: Connection, options: DialOptions): Promise<Dialed> {
  const login = loginOf(connection, "connection");
  const { proxy, dialErrorLimit: limit, host, port } = connection;
  const again = <T>(label: string, tries: number, attempt: () => Promise<T>) =>
    retry(tries, options.signal, attempt, (failures) =>
      options.status(`${label} ${failures}/${tries === -1 ? "inf" : tries} failed: retrying`),
    );
  if (!proxy) {
    const client = await again("Dial", limit, async () => logIn(login, await tcp(connection)));
    return { client, close: () => client.end() };
  }
  const proxyLogin = loginOf(proxy, "connection.proxy");
  const bastion = await again("Dial proxy", proxy.dialErrorLimit, async () =>
    logIn(proxyLogin, await tcp(proxy)),
  ).catch(viaProxy);
  try {
    // One attempt is tunnel and login together: a login that failed has used its tunnel up.
    const client = await again("Dial from proxy", limit, async () => logIn(login, await tunnel(bastion, host, port)));
    const close = () => {
      client.end();
      bastion.end();
    };
    return { client, close };
  } catch (error) {
    bastion.end();
    return viaProxy(error);
  }
}

function viaProxy(error: unknown): never {
  throw new Error(`proxy: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
}

/** ssh2's settings for an endpoint. Throws where a key cannot be read: trying again would not help. */
function loginOf(endpoint: Endpoint, at: string): ConnectConfig {
  const methods: AuthenticationType[] = [];
  const config: ConnectConfig = {
    username: endpoint.user,
    readyTimeout: HANDSHAKE_MS,
    keepaliveInterval: KEEPALIVE_MS,
    keepaliveCountMax: KEEPALIVES_UNANSWERED,
    ...hostKeySettings(endpoint, at),
  };
  if (endpoint.privateKey !== undefined) {
    const parsed = utils.parseKey(endpoint.privateKey, endpoint.privateKeyPassword);
    const key = Array.isArray(parsed) ? parsed[0] : parsed;
    // The parser's own message is left out: it may quote the key.
    if (key === undefined || key instanceof Error || !key.isPrivateKey())
      throw new Error(`${at}.privateKey is not a private key that can be read, or privateKeyPassword does not open it`);
    config.privateKey = endpoint.privateKey;
    config.passphrase = endpoint.privateKeyPassword;
    methods.push("publickey");
  }
  if (endpoint.password !== undefined) {
    config.password = endpoint.password;
    config.tryKeyboard = true;
    methods.push("password", "keyboard-interactive");
  }
  const agent = endpoint.agentSocketPath ?? process.env.SSH_AUTH_SOCK;
  if (agent && endpoint.privateKey === undefined) {
    config.agent = agent;
    methods.push("agent");
  }
  return { ...config, authHandler: ["none", ...methods] };
}

function hostKeySettings(endpoint: Endpoint, at: string): Partial<ConnectConfig> {
  if (endpoint.hostKey === undefined) return {};
  const [type = "", base64 = ""] = endpoint.hostKey.trim().split(/\s+/);
  if (utils.parseKey(`${type} ${base64}`) instanceof Error)
    throw new Error(`${at}.hostKey is not a public key in the form "ssh-ed25519 AAAA…"`);
  const expected = Buffer.from(base64, "base64");
  const signatures = type === "ssh-rsa" ? ["rsa-sha2-512", "rsa-sha2-256", "ssh-rsa"] : [type];
  return {
    // A server with several host keys shows the one that is asked for.
    algorithms: { serverHostKey: signatures as ServerHostKeyAlgorithm[] },
    hostVerifier: (key: Buffer) => key.equals(expected),
  };
}

function tcp(endpoint: Endpoint): Promise<Socket> {
  const { host, port, perDialTimeout } = endpoint;
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

function tunnel(bastion: Client, host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    bastion.forwardOut("127.0.0.1", 0, host, Math.trunc(port), (error, channel) =>
      error ? reject(error) : resolve(channel),
    );
  });
}

function logIn(login: ConnectConfig, sock: Duplex): Promise<Client> {
  return new Promise((resolve, reject) => {
    const client = new Client();
    client.on("error", (error) => {
      client.destroy();
      sock.destroy();
      reject(new Error(`ssh: handshake failed: ${error.message}`, { cause: error }));
    });
    client.once("close", () => reject(new Error("ssh: handshake failed: the server closed the connection")));
    client.on("keyboard-interactive", (_name, _instructions, _language, prompts, answer) =>
      answer(prompts.map(() => login.password ?? "")),
    );
    client.once("ready", () => resolve(client));
    client.connect({ ...login, sock: sock as Socket });
  });
}
