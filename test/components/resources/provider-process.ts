import { type ChildProcess, spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import * as grpc from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import * as proto from "@pulumi/pulumi/proto/provider_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";

type Data = Record<string, unknown>;

const root = resolve(__dirname, "../../..");

/** Answer of a failed call that left a resource: what the engine keeps in the state. */
export interface InitFailure {
  readonly id: string;
  readonly properties: Data;
  readonly reasons: string[];
}

/**
 * The engine's side of the provider process that ships with the SDK: the same process, spoken to as the engine does.
 * It runs in a folder in which `dist` leads to the sources, so that nothing needs to be compiled first.
 */
export class ProviderProcess {
  /** Lines that it printed. */
  readonly printed: string[] = [];

  private constructor(
    private readonly child: ChildProcess,
    private readonly client: ResourceProviderClient,
    private readonly engine: Server,
    private readonly folder: string,
  ) {}

  static async start(env: NodeJS.ProcessEnv = {}): Promise<ProviderProcess> {
    const folder = mkdtempSync(join(tmpdir(), "lambda-train-provider-"));
    const dynamic = join(folder, "dist", "components", "dynamic");
    mkdirSync(dynamic, { recursive: true });
    const source = JSON.stringify(join(root, "components", "dynamic", "provider.ts"));
    // A handler of the tests is named by its whole path from the root.
    const find = `(name) => require(${JSON.stringify(root)} + (name.includes("/") ? "/" : "/components/resources/") + name)`;
    const typescript = JSON.stringify(join(root, "engine", "typescript.cjs"));
    writeFileSync(
      join(dynamic, "provider.js"),
      `require(${typescript}); exports.provider = (module, urn) => require(${source}).provider(module, urn, ${find});\n`,
    );

    const engine = createServer((socket) => socket.end());
    await new Promise<void>((done) => engine.listen(0, "127.0.0.1", done));
    const { port } = engine.address() as AddressInfo;
    const script = join(root, "node_modules/@pulumi/pulumi/cmd/dynamic-provider");
    const child = spawn(process.execPath, [script, `127.0.0.1:${port}`], {
      cwd: folder,
      env: { ...process.env, ...env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const address = await new Promise<string>((done, fail) => {
      lines.once("line", done);
      child.once("exit", (code) => fail(new Error(`The provider process ended with ${code}.`)));
    });
    const client = new ResourceProviderClient(`127.0.0.1:${address}`, grpc.credentials.createInsecure());
    const provider = new ProviderProcess(child, client, engine, folder);
    lines.on("line", (line) => provider.printed.push(line));
    createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => provider.printed.push(line));
    return provider;
  }

  /** What a kill -9 of the CLI looks like from here. */
  async endEngine(): Promise<void> {
    await new Promise((done) => this.engine.close(done));
  }

  /** Resolves when the process has ended. */
  async ended(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    await new Promise((done) => this.child.once("exit", done));
  }

  async stop(): Promise<void> {
    this.client.close();
    this.engine.close();
    this.child.kill();
    await this.ended();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async configure(config: Data): Promise<void> {
    const request = new proto.ConfigureRequest();
    request.setArgs(struct(config));
    await new Promise<void>((done, fail) => this.client.configure(request, (error) => (error ? fail(error) : done())));
  }

  async check(olds: Data, news: Data): Promise<{ inputs: Data; failures: { property: string; reason: string }[] }> {
    const request = new proto.CheckRequest();
    request.setOlds(struct(olds));
    request.setNews(struct(news));
    const answer = await new Promise<proto.CheckResponse>((done, fail) =>
      this.client.check(request, (error, response) => (error ? fail(error) : done(response))),
    );
    return { inputs: data(answer.getInputs()), failures: answer.getFailuresList().map((each) => each.toObject()) };
  }

  async diff(
    id: string,
    olds: Data,
    news: Data,
  ): Promise<{ changes: number; replaces: string[]; deleteFirst: boolean }> {
    const request = new proto.DiffRequest();
    request.setId(id);
    request.setOlds(struct(olds));
    request.setNews(struct(news));
    const answer = await new Promise<proto.DiffResponse>((done, fail) =>
      this.client.diff(request, (error, response) => (error ? fail(error) : done(response))),
    );
    return {
      changes: answer.getChanges(),
      replaces: answer.getReplacesList(),
      deleteFirst: answer.getDeletebeforereplace(),
    };
  }

  async create(inputs: Data): Promise<{ id: string; outs: Data }> {
    const request = new proto.CreateRequest();
    request.setProperties(struct(inputs));
    const answer = await new Promise<proto.CreateResponse>((done, fail) =>
      this.client.create(request, (error, response) => (error ? fail(withInitFailure(error)) : done(response))),
    );
    return { id: answer.getId(), outs: data(answer.getProperties()) };
  }

  /** As a refresh asks, or with `props` undefined as a lookup by id does. */
  async read(
    id: string,
    props: Data | undefined,
    inputs: Data = {},
  ): Promise<{ id: string; props: Data; inputs: Data }> {
    const request = new proto.ReadRequest();
    request.setId(id);
    if (props !== undefined) request.setProperties(struct(props));
    request.setInputs(struct(inputs));
    const answer = await new Promise<proto.ReadResponse>((done, fail) =>
      this.client.read(request, (error, response) => (error ? fail(error) : done(response))),
    );
    return { id: answer.getId(), props: data(answer.getProperties()), inputs: data(answer.getInputs()) };
  }

  async update(id: string, olds: Data, news: Data): Promise<Data> {
    const request = new proto.UpdateRequest();
    request.setId(id);
    request.setOlds(struct(olds));
    request.setNews(struct(news));
    const answer = await new Promise<proto.UpdateResponse>((done, fail) =>
      this.client.update(request, (error, response) => (error ? fail(withInitFailure(error)) : done(response))),
    );
    return data(answer.getProperties());
  }

  async delete(id: string, props: Data): Promise<void> {
    const request = new proto.DeleteRequest();
    request.setId(id);
    request.setProperties(struct(props));
    await new Promise<void>((done, fail) => this.client.delete(request, (error) => (error ? fail(error) : done())));
  }
}

function struct(value: Data): Struct {
  return Struct.fromJavaScript(JSON.parse(JSON.stringify(value)));
}

function data(value: Struct | undefined): Data {
  return (value?.toJavaScript() ?? {}) as Data;
}

/** Puts what the engine would keep in the state beside the error. */
function withInitFailure(error: grpc.ServiceError): Error & { initFailure?: InitFailure } {
  const [detail] = error.metadata?.get("grpc-status-details-bin") ?? [];
  if (!Buffer.isBuffer(detail)) return error;
  // A Status holds an Any that holds the message; it begins after its type's name.
  const { Status } = require("@pulumi/pulumi/proto/status_pb") as typeof import("@pulumi/pulumi/proto/status_pb");
  const any = Status.deserializeBinary(detail).getDetailsList()[0];
  const failure = proto.ErrorResourceInitFailed.deserializeBinary(any?.getValue_asU8() ?? new Uint8Array());
  const initFailure = {
    id: failure.getId(),
    properties: data(failure.getProperties()),
    reasons: failure.getReasonsList(),
  };
  return Object.assign(error, { initFailure });
}
