import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { credentials, Server, ServerCredentials, type ServiceError } from "@grpc/grpc-js";
import { EngineService } from "@pulumi/pulumi/proto/engine_grpc_pb";
import type { LogRequest } from "@pulumi/pulumi/proto/engine_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as pb from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { type JavaScriptValue, Struct } from "google-protobuf/google/protobuf/struct_pb";

export const root = resolve(__dirname, "../../..");

export type Values = Record<string, unknown>;

export interface Shown {
  readonly urn: string;
  readonly message: string;
  readonly ephemeral: boolean;
}

/** A plugin's process, started and spoken to as the engine does it. */
export class PluginProcess {
  private constructor(
    /** What the plugin sent to the engine's log. */
    readonly shown: Shown[],
    private readonly child: ChildProcess,
    private readonly engine: Server,
    private readonly client: ResourceProviderClient,
  ) {}

  /** Starts the compiled plugin (or another program that serves one) with the address of a listening engine. */
  static async start(
    name: "command" | "random",
    program: readonly string[] = [process.execPath, join(root, "dist", "engine", "plugins", name, "main.js")],
    options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
  ): Promise<PluginProcess> {
    if (!existsSync(join(root, "dist", "engine", "plugins", name, "main.js")))
      throw new Error("dist/ is not compiled: run the tests with npm test");
    const engine = new Server();
    const lines: Shown[] = [];
    engine.addService(EngineService, {
      log: ({ request }: { request: LogRequest }, answer: (error: null, response: Empty) => void) => {
        lines.push({ urn: request.getUrn(), message: request.getMessage(), ephemeral: request.getEphemeral() });
        answer(null, new Empty());
      },
    });
    const address = await new Promise<number>((done, fail) =>
      engine.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) =>
        error ? fail(error) : done(port),
      ),
    );
    const [file = "", ...args] = program;
    const child = spawn(file, [...args, `127.0.0.1:${address}`], { stdio: ["ignore", "pipe", "inherit"], ...options });
    const port = await new Promise<number>((done, fail) => {
      child.once("error", fail);
      child.once("exit", (code) => fail(new Error(`the plugin ended with ${code}`)));
      child.stdout?.once("data", (data: Buffer) => done(Number(data.toString())));
    });
    const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
    });
    return new PluginProcess(lines, child, engine, client);
  }

  async stop(): Promise<void> {
    this.client.close();
    this.engine.forceShutdown();
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = new Promise((done) => this.child.once("exit", done));
    this.child.kill("SIGKILL");
    await ended;
  }

  /** Ends the engine alone, as kill -9 does, and resolves when the plugin has ended. */
  lose(): Promise<unknown> {
    const ended = new Promise((done) => this.child.once("exit", done));
    this.client.close();
    this.engine.forceShutdown();
    return ended;
  }

  /** Ends the plugin as the engine does, and gives its exit code. */
  interrupt(): Promise<number | null> {
    return new Promise((done) => {
      this.child.once("exit", done);
      this.child.kill("SIGINT");
    });
  }

  version(): Promise<string> {
    return rpc<{ getVersion(): string }>((done) => this.client.getPluginInfo(new Empty(), done)).then((info) =>
      info.getVersion(),
    );
  }

  async check(
    urn: string,
    news: Values,
  ): Promise<{ inputs: Values; failures: { property: string; reason: string }[] }> {
    const request = new pb.CheckRequest();
    request.setUrn(urn);
    request.setNews(struct(news));
    const response = await rpc<pb.CheckResponse>((done) => this.client.check(request, done));
    const failures = response.getFailuresList().map((failure) => ({
      property: failure.getProperty(),
      reason: failure.getReason(),
    }));
    return { inputs: values(response.getInputs()), failures };
  }

  async diff(urn: string, olds: Values, news: Values, ignored: string[] = []) {
    const request = new pb.DiffRequest();
    request.setUrn(urn);
    request.setId("some-id");
    request.setOlds(struct(olds));
    request.setNews(struct(news));
    request.setIgnorechangesList(ignored);
    const response = await rpc<pb.DiffResponse>((done) => this.client.diff(request, done));
    return {
      changes: response.getChanges() === pb.DiffResponse.DiffChanges.DIFF_SOME,
      paths: response.getDiffsList().sort(),
      replaces: response.getReplacesList().sort(),
    };
  }

  async create(urn: string, inputs: Values, preview = false): Promise<{ id: string; outputs: Values }> {
    const request = new pb.CreateRequest();
    request.setUrn(urn);
    request.setProperties(struct(inputs));
    request.setPreview(preview);
    const response = await rpc<pb.CreateResponse>((done) => this.client.create(request, done));
    return { id: response.getId(), outputs: values(response.getProperties()) };
  }

  async update(urn: string, olds: Values, news: Values, preview = false): Promise<Values> {
    const request = new pb.UpdateRequest();
    request.setUrn(urn);
    request.setId("some-id");
    request.setOlds(struct(olds));
    request.setNews(struct(news));
    request.setPreview(preview);
    const response = await rpc<pb.UpdateResponse>((done) => this.client.update(request, done));
    return values(response.getProperties());
  }

  async delete(urn: string, olds: Values): Promise<void> {
    const request = new pb.DeleteRequest();
    request.setUrn(urn);
    request.setId("some-id");
    request.setProperties(struct(olds));
    await rpc((done) => this.client.delete(request, done));
  }

  async cancel(): Promise<void> {
    await rpc((done) => this.client.cancel(new Empty(), done));
  }
}

/** The URN of a resource of this type. */
export function urnOf(token: string, name: string): string {
  return `urn:pulumi:dev::project::lambda:Parent$${token}::${name}`;
}

function rpc<T>(call: (done: (error: ServiceError | null, response: T) => void) => void): Promise<T> {
  return new Promise((done, fail) => {
    call((error, response) => (error ? fail(new Error(error.details)) : done(response)));
  });
}

function struct(properties: Values): Struct {
  return Struct.fromJavaScript(properties as Record<string, JavaScriptValue>);
}

function values(properties: Struct | undefined): Values {
  return (properties?.toJavaScript() as Values | undefined) ?? {};
}
