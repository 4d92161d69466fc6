import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { resolveEndpoint } from "../../lambda/api/endpoint";

let local: string;

beforeEach(() => {
  local = mkdtempSync(join(tmpdir(), "lambda-train-local-"));
  vi.stubEnv("LAMBDA_TRAIN_LOCAL", local);
  vi.stubEnv("LAMBDA_API_KEY", "");
});

afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(local, { recursive: true, force: true });
});

const run = {
  url: "http://127.0.0.1:4711/api/v1",
  adminUrl: "http://127.0.0.1:1",
  apiKey: "secret_run",
  sshPort: 2222,
  timeScale: 60,
  pid: 1,
};

function writeRun(content: unknown): void {
  mkdirSync(join(local, "cloud"), { recursive: true });
  writeFileSync(join(local, "cloud", "cloud.json"), typeof content === "string" ? content : JSON.stringify(content));
}

test("without an endpoint it is Lambda's, with the key of the environment at each call", () => {
  const endpoint = resolveEndpoint(undefined, () => "from-config");
  expect(endpoint).toMatchObject({ url: "https://cloud.lambda.ai/api/v1", timeScale: 1, sshPort: 22, ownKey: false });
  expect(endpoint.apiKey()).toBe("from-config");
  vi.stubEnv("LAMBDA_API_KEY", " from-env\n");
  expect(endpoint.apiKey()).toBe("from-env");
});

test("without a key the error tells both ways to give one", () => {
  const { apiKey } = resolveEndpoint(undefined, () => undefined);
  expect(apiKey).toThrow(/LAMBDA_API_KEY.*config set --secret lambda-train:apiKey/);
});

test("a key that no header can carry is refused without being shown", () => {
  vi.stubEnv("LAMBDA_API_KEY", "pass word");
  expect(resolveEndpoint(undefined).apiKey).toThrow(/^(?!.*pass word)/);
});

test("the emulated cloud's run file gives everything, and its key always wins", () => {
  writeRun(run);
  vi.stubEnv("LAMBDA_API_KEY", "a-real-key");
  const endpoint = resolveEndpoint("emulated", () => "another-real-key");
  expect(endpoint).toMatchObject({ url: run.url, timeScale: 60, sshPort: 2222, ownKey: true });
  expect(endpoint.apiKey()).toBe("secret_run");
});

test("without a run file the emulated cloud is not running", () => {
  expect(() => resolveEndpoint("emulated")).toThrow(/not running.*npm run cloud -- start/);
});

test.each(["", "{", { ...run, url: "nonsense" }, { ...run, apiKey: "" }])(
  "a broken run file is told: %j",
  (content) => {
    writeRun(content);
    expect(() => resolveEndpoint("emulated")).toThrow(/cloud\.json can't be read/);
  },
);

test.each([
  ["ftp://x/api", /is no URL/],
  ["cloud.lambda.ai", /is no URL/],
  ["https://user:pw@x/api/v1", /no user, password/],
  ["http://cloud.lambda.ai/api/v1", /unencrypted/],
])("%s is refused", (endpoint, message) => {
  expect(() => resolveEndpoint(endpoint)).toThrow(message);
});

test.each(["http://127.0.0.1:1/api/v1/", "http://localhost:1/api/v1"])("%s is fine without TLS", (endpoint) => {
  expect(resolveEndpoint(endpoint).url).toBe(endpoint.replace(/\/$/, ""));
});
