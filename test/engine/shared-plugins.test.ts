import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { afterAll, describe, expect, it } from "vitest";
import { root } from "./support/plugin";

const folder = mkdtempSync(join(tmpdir(), "lambda-train-plugins-"));
const started: ChildProcess[] = [];
const engines: Server[] = [];

afterAll(() => {
  for (const child of started) child.kill("SIGKILL");
  for (const engine of engines) engine.close();
  rmSync(folder, { recursive: true });
});

/** Starts a plugin by its wrapper, as an engine does, and gives the port that it prints. */
async function start(name: "command" | "random", engine: number): Promise<{ child: ChildProcess; port: number }> {
  const wrapper = join(folder, `pulumi-resource-${name}`);
  copyFileSync(join(root, "engine", "wrappers", "pulumi-resource"), wrapper);
  chmodSync(wrapper, 0o755);
  const env = { ...process.env, LAMBDA_TRAIN_ROOT: root, LAMBDA_TRAIN_LOCAL: folder };
  const stdio = ["ignore", "pipe", "inherit"] as const;
  const child = spawn(wrapper, ["-logflow", `127.0.0.1:${engine}`], { env, stdio: [...stdio] });
  started.push(child);
  const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
  return { child, port: Number(line.toString()) };
}

/** What listens as an engine does. Gives its port. */
async function newEngine(): Promise<number> {
  const engine = createServer().listen(0, "127.0.0.1");
  engines.push(engine);
  await once(engine, "listening");
  return (engine.address() as AddressInfo).port;
}

async function versionAt(port: number): Promise<string> {
  const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  try {
    return await new Promise((settle, fail) =>
      client.getPluginInfo(new Empty(), (error, info) => (error ? fail(error) : settle(info.getVersion()))),
    );
  } finally {
    client.close();
  }
}

const isNode = ({ pid }: ChildProcess): boolean => readFileSync(`/proc/${pid}/cmdline`, "utf8").includes("main.js");
const ports = (): string[] => readdirSync(join(folder, "plugins"));

describe("plugins of one engine", () => {
  it("are served by one process, which says where only to this user", async () => {
    const engine = await newEngine();
    const random = await start("random", engine);
    const command = await start("command", engine);
    expect([isNode(random.child), isNode(command.child)]).toEqual([true, false]);
    expect(await versionAt(random.port)).toBe("4.21.2");
    expect(await versionAt(command.port)).toBe("1.2.1");
    expect(statSync(join(folder, "plugins")).mode & 0o777).toBe(0o700);

    const other = await newEngine();
    const elsewhere = await start("command", other);
    expect(isNode(elsewhere.child)).toBe(true);
    expect(ports()).toHaveLength(2);

    elsewhere.child.kill("SIGINT");
    await once(elsewhere.child, "exit");
    expect(ports()).toEqual([`${process.pid}-${engine}`]);
  });

  it("end with their process, and get another one where that was killed", async () => {
    const engine = Number(ports()[0]?.split("-")[1]);
    const [random, command] = started;
    const ended = once(command as ChildProcess, "exit");
    random?.kill("SIGKILL");
    await ended;
    expect(ports()).toHaveLength(1);
    const again = await start("command", engine);
    expect(isNode(again.child)).toBe(true);
    expect(await versionAt(again.port)).toBe("1.2.1");
    expect(ports()).toHaveLength(1);
  });
});
