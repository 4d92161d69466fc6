import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a call gets instead of the usual answer, once. */
export interface Surprise {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON unless a text. */
  readonly body?: unknown;
  /** The call is executed before anything else happens. */
  readonly execute?: boolean;
  /** The connection is cut instead of an answer. */
  readonly cut?: boolean;
  /** No answer ever comes. */
  readonly hang?: boolean;
}

interface FakeInstance {
  readonly id: string;
  readonly name?: string | null;
  status: string;
  readonly ip?: string | null;
}

interface FakeKey {
  readonly id: string;
  readonly name: string;
  readonly public_key: string;
}

type Answer = readonly [status: number, body: unknown];

/** Answers by script, byte by byte where need be, for tests of the client alone. The emulated cloud is for the rest. */
export class FakeCloud {
  readonly apiKey = "secret_test_0123456789abcdef.token";
  readonly instances = new Map<string, FakeInstance>();
  readonly sshKeys = new Map<string, FakeKey>();
  readonly requests: { call: string; body: unknown; headers: IncomingMessage["headers"] }[] = [];
  private readonly surprises: { call: string; surprise: Surprise }[] = [];
  private readonly server: Server = createServer((request, response) => void this.answer(request, response));
  private ids = 0;

  static async start(): Promise<FakeCloud> {
    const cloud = new FakeCloud();
    await new Promise<void>((done) => cloud.server.listen(0, "127.0.0.1", done));
    return cloud;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}/api/v1`;
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((done) => this.server.close(done));
  }

  /** The next calls of this kind (`POST /ssh-keys`; ids are `:id`) are surprised, one by one. */
  surprise(call: string, ...surprises: Surprise[]): void {
    this.surprises.push(...surprises.map((surprise) => ({ call, surprise })));
  }

  /** How often a call was made. */
  count(call: string): number {
    return this.requests.filter((request) => request.call === call).length;
  }

  addInstance(given: Partial<FakeInstance> = {}): FakeInstance {
    const instance = { status: "active", ip: "127.0.0.9", ...given, id: this.newId() };
    this.instances.set(instance.id, instance);
    return instance;
  }

  private newId(): string {
    this.ids += 1;
    return this.ids.toString(16).padStart(32, "0");
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = (request.url ?? "").replace("/api/v1", "");
    const [, collection, id = ""] = path.split("/");
    const isId = /^[0-9a-f]{32}$/.test(id);
    const call = `${request.method} ${isId ? `/${collection}/:id` : path}`;
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    this.requests.push({ call, body, headers: request.headers });

    const at = this.surprises.findIndex((each) => each.call === call);
    const surprise = at === -1 ? undefined : this.surprises.splice(at, 1)[0]?.surprise;
    if (surprise?.hang === true) return;
    const usual = surprise === undefined || surprise.execute === true ? this.execute(call, id, body) : undefined;
    if (surprise?.cut === true) return void request.socket.destroy();
    if (surprise === undefined) return send(response, ...(usual ?? [500, {}]));
    send(response, surprise.status ?? 200, surprise.body, surprise.headers);
  }

  private execute(call: string, id: string, body: Record<string, unknown>): Answer {
    const instance = this.instances.get(id);
    switch (call) {
      case "GET /instances":
        return [200, { data: [...this.instances.values()].map(instanceView) }];
      case "GET /instances/:id":
        return instance === undefined ? missing : [200, { data: instanceView(instance) }];
      case "GET /instance-types":
        return [200, { data: { gpu_1x_a10: offer("gpu_1x_a10"), gpu_1x_gh200: offer("gpu_1x_gh200") } }];
      case "GET /regions":
        return [200, { data: ["us-east-1", "us-west-1", "us-south-2"].map((name) => ({ name, description: name })) }];
      case "POST /instance-operations/launch":
        return [200, { data: { instance_ids: [this.addInstance({ name: String(body.name) }).id] } }];
      case "POST /instance-operations/terminate":
        return this.terminate((body.instance_ids as string[])[0] ?? "");
      case "GET /ssh-keys":
        return [200, { data: [...this.sshKeys.values()] }];
      case "POST /ssh-keys":
        return this.addKey(body as { name: string; public_key: string });
      case "DELETE /ssh-keys/:id":
        return this.sshKeys.delete(id) ? [200, { data: {} }] : missing;
      default:
        return missing;
    }
  }

  private terminate(id: string): Answer {
    const instance = this.instances.get(id);
    if (instance === undefined) return missing;
    if (instance.status === "terminating") return [500, errorBody("global/unknown", "An unknown error occurred.")];
    instance.status = "terminating";
    return [200, { data: { terminated_instances: [instanceView(instance)] } }];
  }

  private addKey(given: { name: string; public_key: string }): Answer {
    if ([...this.sshKeys.values()].some((each) => each.name === given.name)) {
      return [400, errorBody("global/invalid-parameters", "SSH key name must be unique.")];
    }
    const key = { ...given, id: this.newId() };
    this.sshKeys.set(key.id, key);
    return [200, { data: { ...key, workspace_id: "w" } }];
  }
}

/** The API's error envelope. */
export function errorBody(code: string, message: string, suggestion?: string): object {
  return { error: { code, message, suggestion } };
}

const missing: Answer = [404, errorBody("global/object-does-not-exist", "It does not exist.")];

function send(response: ServerResponse, status: number, body: unknown, headers: object = {}): void {
  const isText = typeof body === "string";
  response.writeHead(status, { "content-type": isText ? "text/plain" : "application/json", ...headers });
  response.end(isText ? body : JSON.stringify(body ?? {}));
}

function instanceView(instance: FakeInstance): object {
  return {
    ...instance,
    ssh_key_names: ["key"],
    file_system_names: [],
    region: { name: "us-east-1", description: "Virginia, USA" },
    instance_type: offer("gpu_1x_a10").instance_type,
    jupyter_token: "a-jupyter-token",
    jupyter_url: "https://jupyter-0.lambdaspaces.com/?token=a-jupyter-token",
    actions: {},
  };
}

/** As the API showed types before it told their architecture. */
function offer(name: string): { readonly instance_type: object; readonly regions_with_capacity_available: object[] } {
  const specs = { vcpus: 30, memory_gib: 200, storage_gib: 1400, gpus: 1 };
  return {
    instance_type: { name, description: name, gpu_description: name, price_cents_per_hour: 129, specs },
    regions_with_capacity_available: [{ name: "us-east-1", description: "Virginia, USA" }],
  };
}
