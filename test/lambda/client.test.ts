import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { LambdaClient, type LambdaClientOptions } from "../../lambda/api/client";
import type { Ticks } from "../../lambda/api/clock";
import { LambdaApiError, type LambdaErrorFacts } from "../../lambda/api/errors";
import { retryAfter } from "../../lambda/api/transport";
import { errorBody, FakeCloud, type Surprise } from "./fake-cloud";

/** A clock that does not wait and tells what it was asked to wait. */
class QuickClock implements Ticks {
  readonly pauses: number[] = [];
  private time = 0;

  now(): number {
    return this.time;
  }

  async sleep(ms: number): Promise<void> {
    this.pauses.push(ms / 1000);
    this.time += ms;
  }
}

const freePacer = { turn: async () => undefined, holdOff: async () => undefined };
let cloud: FakeCloud;
let clock: QuickClock;

beforeEach(async () => {
  cloud = await FakeCloud.start();
  clock = new QuickClock();
});

afterEach(() => cloud.stop());

function client(options: Partial<LambdaClientOptions> = {}): LambdaClient {
  const { apiKey, url: baseUrl } = cloud;
  return new LambdaClient({ baseUrl, apiKey: () => apiKey, pacer: freePacer, clock, userAgent: "test/1", ...options });
}

async function failureOf(promise: Promise<unknown>): Promise<LambdaApiError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(LambdaApiError);
  return error as LambdaApiError;
}

const launchRequest = {
  region: "us-east-1",
  instanceType: "gpu_1x_a10",
  sshKeyName: "key",
  name: "lambda-train-test-00000000",
  userData: "#cloud-config\nsecret: user-data-secret\n",
};

describe("answers", () => {
  test("drop jupyter tokens and unknown fields; null, empty and absent are the same", async () => {
    const { id } = cloud.addInstance({ name: null, ip: "" });
    const instance = await client().getInstance(id);
    expect(JSON.stringify(instance)).not.toContain("jupyter");
    expect(instance).not.toHaveProperty("actions");
    expect(instance).toMatchObject({ id, name: undefined, ip: undefined, privateIp: undefined, region: "us-east-1" });
  });

  test("keep statuses that are not known yet", async () => {
    cloud.addInstance({ status: "hibernating" });
    expect((await client().listInstances()).map((each) => each.status)).toEqual(["hibernating"]);
  });

  test("know the architecture where the API does not tell", async () => {
    const types = (await client().listInstanceTypes()).map(({ type }) => [type.name, type.architecture]);
    expect(Object.fromEntries(types)).toMatchObject({ gpu_1x_gh200: "arm64", gpu_1x_a10: "x86_64" });
  });

  test("that lack what is needed are an error that names it", async () => {
    cloud.surprise("GET /instances", { body: { data: [{ id: "x" }] } });
    const error = await failureOf(client().listInstances());
    expect(error.facts).toMatchObject({ kind: "server", retryable: false });
    expect(error.message).toContain("0.status");
  });

  test("are asked for with key, own user agent, and one id a termination", async () => {
    const { id } = cloud.addInstance();
    expect((await client().terminate(id)).status).toBe("terminating");
    const { headers, body } = cloud.requests[0] ?? {};
    expect(headers).toMatchObject({ authorization: `Bearer ${cloud.apiKey}`, "user-agent": "test/1" });
    expect(body).toEqual({ instance_ids: [id] });
  });

  test("to a termination that leave out the instance are an error", async () => {
    const { id } = cloud.addInstance();
    cloud.surprise("POST /instance-operations/terminate", { body: { data: { terminated_instances: [] } } });
    expect((await failureOf(client().terminate(id))).message).toContain("does not name the instance");
  });
});

describe("failures", () => {
  const byCode: [number, string, LambdaErrorFacts["kind"]][] = [
    [400, "instance-operations/launch/insufficient-capacity", "capacity"],
    [400, "instance-operations/launch/file-system-in-wrong-region", "invalid-argument"],
    [400, "global/quota-exceeded", "quota"],
    [403, "global/account-inactive", "billing"],
    [403, "global/invalid-address", "billing"],
    [401, "global/invalid-api-key", "auth"],
    [403, "global/forbidden", "forbidden"],
    [400, "global/invalid-parameters", "invalid-argument"],
    [400, "global/object-does-not-exist", "not-found"],
    [404, "global/not-found", "not-found"],
    [400, "global/duplicate", "duplicate"],
    [409, "global/conflict", "conflict"],
    [400, "filesystems/filesystem-in-use", "in-use"],
    [400, "firewall-rulesets/firewall-ruleset-in-use", "in-use"],
    [418, "something/new", "invalid-argument"],
  ];

  test.each(byCode)("%i %s is %s, and neither retried nor unclear", async (status, code, kind) => {
    cloud.surprise("POST /instance-operations/launch", { status, body: errorBody(code, "Told so.", "Do this.") });
    const error = await failureOf(client().launch(launchRequest));
    expect(error.facts).toMatchObject({
      kind,
      status,
      code,
      retryable: false,
      operation: "launch gpu_1x_a10 in us-east-1",
    });
    expect(error.message).toContain("Told so. Do this");
    expect(error.message).toContain(error.facts.hint);
    expect(cloud.requests).toHaveLength(1);
  });

  test("a taken SSH key name is a duplicate", async () => {
    await client().addSshKey({ name: "a", publicKey: "ssh-ed25519 AAAA" });
    expect((await failureOf(client().addSshKey({ name: "a", publicKey: "ssh-ed25519 BBBB" }))).facts.kind).toBe(
      "duplicate",
    );
  });

  test("a page of the front is told with its status and beginning, without the key", async () => {
    const page = `<html>error code: 1010 ${"x".repeat(300)} ${cloud.apiKey}</html>`;
    cloud.surprise("GET /regions", { status: 403, body: page });
    const error = await failureOf(client().listRegions());
    expect(error.facts).toMatchObject({ kind: "edge", status: 403, retryable: false });
    expect(error.message).toContain("error code: 1010");
    expect(error.message).not.toContain("x".repeat(201));
    expect(cloud.requests).toHaveLength(1);
  });

  test("what the server echoes is shown without secrets", async () => {
    const echoed = `Bad user_data: -----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY----- Bearer abc.def ${cloud.apiKey}`;
    cloud.surprise("POST /instance-operations/launch", {
      status: 400,
      body: errorBody("global/invalid-parameters", echoed),
    });
    const { message } = await failureOf(client().launch(launchRequest));
    expect(message).toContain("Bad user_data");
    expect(message).not.toMatch(/abc|user-data-secret/);
    expect(message).not.toContain(cloud.apiKey);
  });

  test("a redirect is not followed, and names the host", async () => {
    cloud.surprise("GET /regions", {
      status: 301,
      headers: { location: "https://elsewhere.example/api/v1/regions" },
      body: "",
    });
    const error = await failureOf(client().listRegions());
    expect(error.facts).toMatchObject({ kind: "edge", status: 301, retryable: false });
    expect(error.message).toContain("https://elsewhere.example/api/v1");
    expect(cloud.requests).toHaveLength(1);
  });

  test("an answer that never comes is a timeout", async () => {
    cloud.surprise("GET /regions", { hang: true }, { hang: true });
    const error = await failureOf(client({ timeoutMs: 500, attempts: 2 }).listRegions());
    expect(error.facts).toMatchObject({ kind: "timeout", mayHaveRun: true });
    expect(cloud.requests).toHaveLength(2);
  });

  test("an endpoint where nothing listens is a network failure with the endpoint's own hint", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    const { port } = server.address() as AddressInfo;
    await new Promise((done) => server.close(done));
    const options = { baseUrl: `http://127.0.0.1:${port}/api/v1`, unreachableHint: "Start it" };
    const error = await failureOf(client(options).launch(launchRequest));
    expect(error.facts).toMatchObject({ kind: "network", mayHaveRun: false, hint: "Start it" });
    expect(error.message).toContain("ECONNREFUSED");
    expect(clock.pauses).toEqual([]);
  });

  test("an answer that is too long is not read to its end", async () => {
    cloud.surprise("GET /regions", { body: `{"data":"${"x".repeat(17 * 1024 * 1024)}"}` });
    expect((await failureOf(client().listRegions())).message).toContain("more than");
  });
});

describe("retries", () => {
  const busy: Surprise = { status: 429, body: "error code: 1015" };
  const broken: Surprise = { status: 502, body: "<html>bad gateway</html>" };
  const unavailable: Surprise = {
    status: 503,
    body: errorBody("provider/internal-unavailable", "Provider unavailable"),
  };

  test("reads survive rate limits, broken fronts, upstream trouble and cut connections, with growing pauses", async () => {
    cloud.surprise("GET /regions", busy, broken, unavailable, { cut: true });
    expect(await client().listRegions()).toHaveLength(3);
    expect(clock.pauses).toHaveLength(4);
    for (const [index, most] of [2, 4, 8, 16].entries()) {
      expect(clock.pauses[index]).toBeGreaterThanOrEqual(most / 2);
      expect(clock.pauses[index]).toBeLessThanOrEqual(most);
    }
  });

  test("a rate limit as JSON is one too", async () => {
    cloud.surprise("GET /regions", { status: 429, body: errorBody("global/whatever", "Slow down") });
    expect(await client().listRegions()).toHaveLength(3);
  });

  test("end after the last attempt with the last failure", async () => {
    cloud.surprise("GET /regions", ...Array.from({ length: 9 }, () => broken));
    expect((await failureOf(client({ attempts: 3 }).listRegions())).facts.status).toBe(502);
    expect(cloud.requests).toHaveLength(3);
  });

  test("wait as long as Retry-After says, up to a minute", async () => {
    cloud.surprise(
      "GET /regions",
      { ...busy, headers: { "retry-after": "17" } },
      { ...busy, headers: { "retry-after": "900" } },
    );
    await client().listRegions();
    expect(clock.pauses).toEqual([17, 60]);
  });

  test("Retry-After may be a date", () => {
    const now = Date.parse("2026-11-24T10:00:00Z");
    expect(retryAfter("Tue, 24 Nov 2026 10:00:30 GMT", now)).toBe(30);
    expect(retryAfter("Tue, 24 Nov 2026 09:00:00 GMT", now)).toBe(0);
    expect(retryAfter("soon", now)).toBeUndefined();
  });

  test("a launch is sent again after a rate limit only", async () => {
    cloud.surprise("POST /instance-operations/launch", busy);
    await client().launch(launchRequest);
    expect(cloud.count("POST /instance-operations/launch")).toBe(2);
    expect(cloud.instances.size).toBe(1);
    expect(clock.pauses[0]).toBeGreaterThanOrEqual(6);
  });

  test.each<[string, Surprise]>([
    ["a broken front", broken],
    ["upstream trouble", unavailable],
    ["an internal error", { status: 409, body: errorBody("global/internal-error", "Oh.") }],
    ["a cut connection", { cut: true, execute: true }],
    ["silence", { hang: true }],
    ["an answer without an id", { body: { data: { instance_ids: [] } } }],
    ["a page with status 200", { body: "<html>Welcome</html>" }],
  ])("a launch that ends in %s is unclear, and not sent again", async (_name, surprise) => {
    cloud.surprise("POST /instance-operations/launch", surprise);
    const error = await failureOf(client({ timeoutMs: 500 }).launch(launchRequest));
    expect(error.facts).toMatchObject({ kind: "unclear", retryable: false, mayHaveRun: true });
    expect(cloud.count("POST /instance-operations/launch")).toBe(1);
  });

  test("a creation whose answer is lost is unclear, and not sent again", async () => {
    cloud.surprise("POST /ssh-keys", { cut: true, execute: true });
    expect((await failureOf(client().addSshKey({ name: "a", publicKey: "ssh-ed25519 AAAA" }))).facts.kind).toBe(
      "unclear",
    );
    expect(cloud.count("POST /ssh-keys")).toBe(1);
  });

  test("a termination is not repeated after global/unknown, which asks for a look", async () => {
    const { id } = cloud.addInstance({ status: "terminating" });
    expect((await failureOf(client().terminate(id))).facts.code).toBe("global/unknown");
    expect(cloud.requests).toHaveLength(1);
  });

  test("what runs before a launch is sent runs before each try, and can prevent it", async () => {
    cloud.surprise("POST /instance-operations/launch", busy);
    let tries = 0;
    const beforeSend = async (): Promise<void> => {
      tries += 1;
      if (tries === 2) throw new Error("gone");
    };
    await expect(client().launch(launchRequest, { beforeSend })).rejects.toThrow("gone");
    expect(cloud.count("POST /instance-operations/launch")).toBe(1);
  });
});

describe("alike reads", () => {
  /** Turns that come when the test says so. */
  function gated(): { api: LambdaClient; open: () => void } {
    const waiting: (() => void)[] = [];
    const turn = ({ signal }: { signal?: AbortSignal } = {}): Promise<void> =>
      new Promise((resolve, reject) => {
        waiting.push(resolve);
        signal?.addEventListener("abort", () => reject(signal.reason));
      });
    const pacer = {
      turn: (_: unknown, options?: { signal?: AbortSignal }) => turn(options),
      holdOff: async () => undefined,
    };
    const open = (): void => {
      for (const begin of waiting.splice(0)) begin();
    };
    return { api: client({ pacer }), open };
  }

  test("that wait for their turn become one call, and one that comes later is a call of its own", async () => {
    const { api, open } = gated();
    const first = [api.listInstances(), api.listInstances(), api.listSshKeys()];
    open();
    await Promise.all(first);
    const { id } = cloud.addInstance();
    const later = api.listInstances();
    expect(cloud.requests.map(({ call }) => call).sort()).toEqual(["GET /instances", "GET /ssh-keys"]);
    open();
    expect((await later).map((each) => each.id)).toEqual([id]);
    expect(cloud.count("GET /instances")).toBe(2);
  });

  test("share a failure, and each is tried again", async () => {
    cloud.surprise("GET /instances", { status: 502, body: "<html>" });
    const { api, open } = gated();
    const both = Promise.all([api.listInstances(), api.listInstances()]);
    const opening = setInterval(open, 20);
    expect(await both).toEqual([[], []]);
    clearInterval(opening);
    expect(cloud.count("GET /instances")).toBeLessThanOrEqual(3);
  });

  test("go on where one of their callers gives up", async () => {
    const { api, open } = gated();
    const giveUp = new AbortController();
    const given = api.listInstances({ signal: giveUp.signal });
    const kept = api.listInstances();
    giveUp.abort(new Error("interrupted"));
    await expect(given).rejects.toThrow("interrupted");
    open();
    expect(await kept).toEqual([]);
  });
});
