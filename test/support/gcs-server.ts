import { type ChildProcess, execFile, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { type AddressInfo, createServer as createSocket } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

const version = "v1.56.1";
const folder = join(homedir(), `.cache/lambda-train/tools/fake-gcs-server-${version}`);
const program = join(folder, "fake-gcs-server");

/** Builds the server where it isn't here, by Go's module proxy. */
export async function bringGcsServer(): Promise<void> {
  if (existsSync(program)) return;
  const env = { ...process.env, GOBIN: folder, GOFLAGS: "-mod=mod" };
  const words = ["install", `github.com/fsouza/fake-gcs-server@${version}`];
  await promisify(execFile)("go", words, { env, cwd: tmpdir() });
}

/** A server of Google Cloud Storage's API with one bucket, and one that gives its tokens: it lets everybody in. */
export class GcsServer {
  readonly bucket = "models";

  private constructor(
    private readonly process: ChildProcess,
    private readonly tokens: Server,
    private readonly root: string,
    readonly url: string,
    /** The JSON of a service account. */
    readonly credentials: string,
  ) {}

  static async start(): Promise<GcsServer> {
    const tokens = createServer((_, response) =>
      response
        .writeHead(200, { "content-type": "application/json" })
        .end(JSON.stringify({ access_token: "of-the-tests", token_type: "Bearer", expires_in: 3600 })),
    ).listen(0, "127.0.0.1");
    await once(tokens, "listening");
    const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const credentials = {
      type: "service_account",
      client_email: "tests@example.iam.gserviceaccount.com",
      private_key: privateKey.export({ type: "pkcs8", format: "pem" }),
      token_uri: `http://127.0.0.1:${(tokens.address() as AddressInfo).port}/token`,
    };
    const root = mkdtempSync(join(tmpdir(), "lambda-train-gcs-"));
    mkdirSync(join(root, "models"));
    const port = await freePort();
    const url = `http://127.0.0.1:${port}`;
    const words = ["-scheme", "http", "-host", "127.0.0.1", "-port", String(port), "-external-url", url];
    const stores = ["-backend", "filesystem", "-filesystem-root", root, "-public-host", `127.0.0.1:${port}`];
    const running = spawn(program, [...words, ...stores], { stdio: "ignore" });
    const started = new GcsServer(running, tokens, root, url, JSON.stringify(credentials, null, 2));
    for (let tries = 0; tries < 100 && !(await started.answers()); tries++) await sleep(100);
    return started;
  }

  async dispose(): Promise<void> {
    this.tokens.close();
    this.process.kill("SIGKILL");
    if (this.process.exitCode === null) await once(this.process, "exit");
    rmSync(this.root, { recursive: true });
  }

  private async answers(): Promise<boolean> {
    return fetch(`${this.url}/storage/v1/b`).then(
      ({ ok }) => ok,
      () => false,
    );
  }
}

async function freePort(): Promise<number> {
  const socket = createSocket().listen(0, "127.0.0.1");
  await once(socket, "listening");
  const { port } = socket.address() as AddressInfo;
  socket.close();
  await once(socket, "close");
  return port;
}
