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

export interface FakeInstance {
  id: string;
  name?: string | null;
  status: string;
  ip?: string | null;
  type: string;
  region: string;
  tags: { key: string; value: string }[];
  sshKeyNames: string[];
  rulesetIds: string[];
  fileSystemNames: string[];
  /** Reads until the next status. */
  readsLeft: number;
}

const key = "secret_test_0123456789abcdef.token";

/** A small stateful cloud for tests of the client and the handlers: the shapes of Lambda's API, faults on demand. */
export class FakeCloud {
  readonly apiKey = key;
  readonly instances = new Map<string, FakeInstance>();
  readonly sshKeys = new Map<string, { id: string; name: string; public_key: string; workspace_id?: string }>();
  readonly rulesets = new Map<string, { id: string; name: string; region: string; rules: unknown[] }>();
  readonly fileSystems = new Map<string, { id: string; name: string; region: string }>();
  /** Regions with capacity by instance type; both what is listed and what is there. */
  readonly capacity: Record<string, string[]> = {
    gpu_1x_a10: ["us-east-1"],
    cpu_4x_general: ["us-east-1", "us-west-1"],
  };
  /** What the listing says where that differs. */
  listed: Record<string, string[]> | undefined;
  readonly prices: Record<string, number> = {
    gpu_1x_a10: 129,
    gpu_8x_h100_sxm5: 3192,
    cpu_4x_general: 20,
    gpu_1x_gh200: 229,
  };
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

  /** The next call of this kind (`POST /ssh-keys`; ids are `:id`) is surprised. */
  surprise(call: string, ...surprises: Surprise[]): void {
    this.surprises.push(...surprises.map((surprise) => ({ call, surprise })));
  }

  /** How often a call was made. */
  count(call: string): number {
    return this.requests.filter((request) => request.call === call).length;
  }

  addInstance(given: Partial<FakeInstance> = {}): FakeInstance {
    const instance: FakeInstance = {
      id: this.newId(),
      status: "active",
      ip: "127.0.0.9",
      type: "gpu_1x_a10",
      region: "us-east-1",
      tags: [],
      sshKeyNames: ["test"],
      rulesetIds: [],
      fileSystemNames: [],
      readsLeft: 0,
      ...given,
    };
    this.instances.set(instance.id, instance);
    return instance;
  }

  /** Instances that are billed. */
  living(): FakeInstance[] {
    return [...this.instances.values()].filter((each) => !["terminating", "terminated"].includes(each.status));
  }

  newId(): string {
    this.ids += 1;
    return this.ids.toString(16).padStart(32, "0");
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const path = (request.url ?? "").replace("/api/v1", "");
    const [, collection = "", id] = path.split("/");
    const isId = id !== undefined && /^[0-9a-f]{32}$/.test(id);
    const call = `${request.method} ${isId ? `/${collection}/:id` : path}`;
    const body = text === "" ? {} : (JSON.parse(text) as Record<string, unknown>);
    this.requests.push({ call, body, headers: request.headers });
    const at = this.surprises.findIndex((each) => each.call === call);
    const surprise = at === -1 ? undefined : this.surprises.splice(at, 1)[0]?.surprise;
    if (surprise?.hang === true) return;
    if (surprise === undefined || surprise.execute === true) {
      const usual = this.execute(call, isId ? id : "", body);
      if (surprise === undefined) return send(response, usual.status ?? 200, usual.body);
    }
    if (surprise.cut === true) return void request.socket.destroy();
    send(response, surprise.status ?? 200, surprise.body, surprise.headers);
  }

  private execute(call: string, id: string, body: Record<string, unknown>): { status?: number; body: unknown } {
    const instance = this.instances.get(id);
    switch (call) {
      case "GET /instances":
        return {
          body: {
            data: [...this.instances.values()]
              .filter((each) => each.status !== "terminated")
              .map((each) => this.view(each)),
          },
        };
      case "GET /instances/:id":
        if (instance === undefined) return missing("instance");
        this.advance(instance);
        return { body: { data: this.view(instance) } };
      case "POST /instances/:id":
        if (instance === undefined) return missing("instance");
        Object.assign(instance, body);
        return { body: { data: this.view(instance) } };
      case "GET /instance-types":
        return { body: { data: this.offers() } };
      case "GET /regions":
        return {
          body: { data: ["us-east-1", "us-west-1", "us-south-2"].map((name) => ({ name, description: name })) },
        };
      case "POST /instance-operations/launch":
        return this.launch(body);
      case "POST /instance-operations/terminate":
        return this.terminate((body.instance_ids as string[])[0] ?? "");
      case "GET /ssh-keys":
        return { body: { data: [...this.sshKeys.values()] } };
      case "POST /ssh-keys": {
        const { name, public_key } = body as { name: string; public_key: string };
        if ([...this.sshKeys.values()].some((each) => each.name === name)) {
          return failed(400, "global/invalid-parameters", "SSH key name must be unique.");
        }
        return { body: { data: add(this.sshKeys, { id: this.newId(), name, public_key, workspace_id: "w" }) } };
      }
      case "DELETE /ssh-keys/:id":
        return this.sshKeys.delete(id) ? { body: { data: {} } } : missing("key", "global/not-found");
      case "GET /firewall-rulesets":
        return { body: { data: [...this.rulesets.values()].map(rulesetView) } };
      case "GET /firewall-rulesets/:id": {
        const ruleset = this.rulesets.get(id);
        return ruleset === undefined ? missing("ruleset") : { body: { data: rulesetView(ruleset) } };
      }
      case "POST /firewall-rulesets": {
        const made = add(this.rulesets, {
          id: this.newId(),
          ...(body as { name: string; region: string; rules: unknown[] }),
        });
        return { body: { data: rulesetView(made) } };
      }
      case "PATCH /firewall-rulesets/:id": {
        const ruleset = this.rulesets.get(id);
        if (ruleset === undefined) return missing("ruleset");
        return { body: { data: rulesetView(Object.assign(ruleset, body)) } };
      }
      case "DELETE /firewall-rulesets/:id":
        if (!this.rulesets.delete(id)) return missing("ruleset");
        return { body: { data: {} } };
      case "GET /file-systems":
        return { body: { data: [...this.fileSystems.values()].map(fileSystemView) } };
      case "POST /filesystems": {
        const made = add(this.fileSystems, { id: this.newId(), ...(body as { name: string; region: string }) });
        return { body: { data: fileSystemView(made) } };
      }
      case "DELETE /filesystems/:id":
        if (!this.fileSystems.delete(id)) return missing("file system");
        return { body: { data: { deleted_ids: [id] } } };
      default:
        return missing("route", "global/not-found");
    }
  }

  private launch(body: Record<string, unknown>): { status?: number; body: unknown } {
    const type = String(body.instance_type_name);
    const region = String(body.region_name);
    if (!(this.capacity[type] ?? []).includes(region)) {
      return failed(
        400,
        "instance-operations/launch/insufficient-capacity",
        "Not enough capacity to fulfill launch request.",
      );
    }
    const { id } = this.addInstance({
      name: body.name as string,
      status: "booting",
      ip: undefined,
      type,
      region,
      tags: (body.tags as FakeInstance["tags"] | undefined) ?? [],
      sshKeyNames: body.ssh_key_names as string[],
      rulesetIds: ((body.firewall_rulesets ?? []) as { id: string }[]).map((each) => each.id),
      readsLeft: 2,
    });
    return { body: { data: { instance_ids: [id] } } };
  }

  private terminate(id: string): { status?: number; body: unknown } {
    const instance = this.instances.get(id);
    if (instance === undefined) return missing("instance");
    if (instance.status === "terminating") return failed(500, "global/unknown", "An unknown error occurred.");
    Object.assign(instance, { status: "terminating", readsLeft: 2 });
    return { body: { data: { terminated_instances: [this.view(instance)] } } };
  }

  private advance(instance: FakeInstance): void {
    if (instance.readsLeft > 0) {
      instance.readsLeft -= 1;
      return;
    }
    if (instance.status === "booting") Object.assign(instance, { status: "active", ip: "127.0.0.9" });
    else if (instance.status === "terminating") this.instances.delete(instance.id);
  }

  private offers(): Record<string, unknown> {
    const listed = this.listed ?? this.capacity;
    return Object.fromEntries(
      Object.keys(this.prices).map((name) => [
        name,
        {
          instance_type: this.type(name),
          regions_with_capacity_available: (listed[name] ?? []).map((region) => ({
            name: region,
            description: region,
          })),
        },
      ]),
    );
  }

  private type(name: string): object {
    const gpus = Number(/_(\d)x/.exec(name)?.[1] ?? 0);
    return {
      name,
      description: name,
      gpu_description: "N/A",
      price_cents_per_hour: this.prices[name],
      specs: { vcpus: 4, memory_gib: 16, storage_gib: 100, gpus: name.startsWith("cpu") ? 0 : gpus },
    };
  }

  private view(each: FakeInstance): object {
    return {
      id: each.id,
      name: each.name,
      ip: each.ip,
      status: each.status,
      ssh_key_names: each.sshKeyNames,
      file_system_names: each.fileSystemNames,
      region: { name: each.region, description: each.region },
      instance_type: this.type(each.type),
      tags: each.tags,
      firewall_rulesets: each.rulesetIds.map((id) => ({ id })),
      jupyter_token: "a-jupyter-token",
      jupyter_url: "https://jupyter-0.lambdaspaces.com/?token=a-jupyter-token",
      actions: {},
    };
  }
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const text = typeof body === "string" ? body : JSON.stringify(body ?? {});
  response.writeHead(status, {
    "content-type": typeof body === "string" ? "text/plain" : "application/json",
    ...headers,
  });
  response.end(text);
}

/** The API's error envelope. */
export function errorBody(code: string, message: string, suggestion?: string): object {
  return { error: { code, message, suggestion } };
}

function failed(status: number, code: string, message: string): { status: number; body: unknown } {
  return { status, body: errorBody(code, message) };
}

function missing(what: string, code = "global/object-does-not-exist"): { status: number; body: unknown } {
  return failed(404, code, `Specified ${what} does not exist.`);
}

function add<T extends { id: string }>(things: Map<string, T>, thing: T): T {
  things.set(thing.id, thing);
  return thing;
}

function rulesetView({ region, ...rest }: { id: string; name: string; region: string; rules: unknown[] }): object {
  return {
    ...rest,
    region: { name: region, description: region },
    created: "2026-01-01T00:00:00+00:00",
    instance_ids: [],
  };
}

function fileSystemView({ region, ...rest }: { id: string; name: string; region: string }): object {
  return {
    ...rest,
    region: { name: region, description: region },
    mount_point: `/lambda/nfs/${rest.name}`,
    is_in_use: false,
  };
}
