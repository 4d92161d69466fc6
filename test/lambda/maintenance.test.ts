import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { type Cloud, connectCloud } from "../../lambda/api/connect";
import { beginsWithin, type MaintenanceEvent, maintenanceOf, maintenanceText } from "../../lambda/life/maintenance";
import { errorBody, FakeCloud } from "./fake-cloud";

const id = "0123456789abcdef0123456789abcdef";
const hour = 3_600_000;
const path = "GET /maintenance_events";
let fake: FakeCloud;
let cloud: Cloud;
let cache: string;

beforeEach(async () => {
  fake = await FakeCloud.start();
  cache = mkdtempSync(join(tmpdir(), "lambda-train-maintenance-"));
  vi.stubEnv("LAMBDA_TRAIN_CACHE", cache);
  vi.stubEnv("LAMBDA_API_KEY", fake.apiKey);
  vi.useFakeTimers({ toFake: ["Date"] });
  cloud = connectCloud(fake.url);
});

afterEach(async () => {
  vi.useRealTimers();
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true });
  await fake.stop();
});

/** As the API sends it: fields that nobody knows yet, and null where nothing is told. */
const event = (changes: object = {}): object => ({
  id: "event-1",
  entity_lrns: [`lrn:cloud:instance:${id}`],
  maintenance_type: null,
  workspace_id: "w",
  detail: "Host reboot",
  urgency: "critical_with_deadline",
  status: "scheduled",
  not_before: new Date(Date.now() + 2 * hour).toISOString(),
  not_before_deadline: null,
  not_after: null,
  ...changes,
});
const page = (events: object[], page_token: string | null = null): object => ({
  body: { data: { maintenance_events: events, page_token } },
});

describe("maintenance", () => {
  test("is read in all pages, and is that of one instance which is not over", async () => {
    const dashed = "01234567-89ab-cdef-0123-456789abcdef";
    fake.surprise(path, page([event({ id: "a", status: "completed" }), event({ id: "b", status: "new_word" })], "t/2"));
    fake.surprise(
      `${path}?page_token=t%2F2`,
      page([
        event({ id: "c", entity_lrns: [`lrn:cloud:instance:${dashed}`], not_before: null, urgency: "emergency" }),
        event({ id: "d", entity_lrns: ["lrn:cloud:instance:ffff", "lrn:cloud:server:1"] }),
        event({ id: "e", not_after: new Date(Date.now() - hour).toISOString() }),
        event({ id: "f", status: "canceled" }),
      ]),
    );
    expect((await maintenanceOf(cloud, id)).map((each) => each.id)).toEqual(["c", "b"]);
    expect(fake.requests[0]?.headers.authorization).toBe(`Bearer ${fake.apiKey}`);
  });

  test("is asked for once in ten minutes", async () => {
    fake.surprise(path, page([event()]), page([]));
    expect(await maintenanceOf(cloud, id)).toHaveLength(1);
    vi.setSystemTime(Date.now() + 9 * 60_000);
    expect(await maintenanceOf(connectCloud(fake.url), id)).toHaveLength(1);
    expect(fake.count(path)).toBe(1);
    vi.setSystemTime(Date.now() + 2 * 60_000);
    expect(await maintenanceOf(cloud, id)).toEqual([]);
  });

  test.each([
    [404, errorBody("global/not-found", "The requested resource was not found.")],
    [403, errorBody("global/forbidden", "No.")],
    [405, errorBody("global/invalid-parameters", "Method Not Allowed")],
  ])("of an account without the call (%i) is none, and is not asked for again soon", async (status, body) => {
    fake.surprise(path, { status, body });
    expect(await maintenanceOf(cloud, id)).toEqual([]);
    vi.setSystemTime(Date.now() + 5 * hour);
    expect(await maintenanceOf(cloud, id)).toEqual([]);
    expect(fake.count(path)).toBe(1);
  });

  test.each([
    ["a server in trouble", { status: 500, body: errorBody("global/unknown", "An unknown error occurred.") }],
    ["the edge", { status: 403, body: "error code: 1010" }],
    ["too many calls", { status: 429, body: "error code: 1015" }],
    ["a lost answer", { cut: true }],
    ["another shape", { body: { data: [] } }],
    ["nonsense", { body: { data: { maintenance_events: [{ id: 7 }] } } }],
  ])("that %s doesn't tell is what was told before, after one try", async (_, surprise) => {
    fake.surprise(path, page([event()]), surprise, page([]));
    expect(await maintenanceOf(cloud, id)).toHaveLength(1);
    vi.setSystemTime(Date.now() + 11 * 60_000);
    expect(await maintenanceOf(cloud, id)).toHaveLength(1);
    expect(await maintenanceOf(cloud, id)).toHaveLength(1);
    expect(fake.count(path)).toBe(2);
  });

  test("without a key is none", async () => {
    vi.stubEnv("LAMBDA_API_KEY", "");
    expect(await maintenanceOf(cloud, id)).toEqual([]);
  });
});

describe("in words", () => {
  const now = Date.parse("2026-11-29T10:00:00Z");
  const at = (hours: number): string => new Date(now + hours * hour).toISOString();
  const cases: [Partial<MaintenanceEvent>, string, boolean][] = [
    [{ notBefore: at(3) }, "maintenance begins at 2026-11-29T13:00Z (in 3 h)", false],
    [
      { notBefore: at(0.5), notBeforeDeadline: at(4), notAfter: at(6), detail: "GPU swap" },
      "maintenance begins at 2026-11-29T10:30Z (in 30 min), at the latest at 2026-11-29T14:00Z, until 2026-11-29T16:00Z at the latest (GPU swap)",
      true,
    ],
    [{ urgency: "emergency" }, "emergency maintenance may begin at any moment", true],
    [{ status: "in_progress", notBefore: at(-1) }, "maintenance is under way", true],
    [{ notBefore: at(-1) }, "maintenance begins at 2026-11-29T09:00Z", true],
  ];
  test.each(cases)("%j", (change, text, isSoon) => {
    const told = { id: "e", instanceIds: [id], status: "scheduled", ...change } as MaintenanceEvent;
    expect(maintenanceText(told, now)).toBe(text);
    expect(beginsWithin(told, 3600, now)).toBe(isSoon);
  });
});
