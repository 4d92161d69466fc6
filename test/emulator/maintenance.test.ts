import * as fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { AdminClient } from "../../emulator/admin-client";
import type { Cloud } from "../../emulator/cloud";
import { apiCloud, type Clock, call, launch, read } from "./support";

let cloud: Cloud;
let admin: AdminClient;
let clock: Clock;
beforeEach(async () => {
  ({ cloud, admin, clock } = await apiCloud());
});
afterEach(() => cloud.stop());

const events = async () => (await call(cloud, "GET", "/maintenance_events")).body.data.maintenance_events;

/** An instance that is up. */
async function booted(): Promise<string> {
  const id = await launch(cloud);
  clock.advance(120);
  await read(cloud, id);
  return id;
}

describe("maintenance", () => {
  test("is announced with its times, begins with a power cycle, and is over", async () => {
    const id = await booted();
    expect(await events()).toEqual([]);
    await admin.addMaintenance({ instanceIds: [id], detail: "GPU swap", inSeconds: 7200, endsInSeconds: 9000 });
    expect(await events()).toMatchObject([
      {
        entity_lrns: [`lrn:cloud:instance:${id}`],
        maintenance_type: null,
        detail: "GPU swap",
        urgency: "critical_with_deadline",
        status: "scheduled",
        not_before: "2026-11-24T14:02:00.000000+00:00",
        not_before_deadline: null,
        not_after: "2026-11-24T14:32:00.000000+00:00",
      },
    ]);
    clock.advance(7200);
    expect(await events()).toMatchObject([{ status: "in_progress" }]);
    expect((await read(cloud, id)).actions.restart.reason_code).toBe("vm-action-in-progress");
    clock.advance(1800);
    expect(await events()).toMatchObject([{ status: "completed" }]);
    expect(await read(cloud, id)).toMatchObject({ status: "active", actions: { restart: { available: true } } });
  });

  test("of an emergency has no begin until it begins", async () => {
    const id = await booted();
    const { id: event } = await admin.addMaintenance({ instanceIds: [id], urgency: "emergency" });
    clock.advance(86_400);
    expect(await events()).toMatchObject([{ urgency: "emergency", status: "scheduled", not_before: null }]);
    await admin.setMaintenanceStatus(event, "in_progress");
    expect(await events()).toMatchObject([{ status: "in_progress", not_before: expect.any(String) }]);
    expect((await read(cloud, id)).actions.restart.available).toBe(false);
  });

  test("comes in pages", async () => {
    const id = await booted();
    for (let i = 0; i < 101; i++) await admin.addMaintenance({ instanceIds: [id], detail: String(i), inSeconds: 60 });
    const first = (await call(cloud, "GET", "/maintenance_events")).body.data;
    const second = (await call(cloud, "GET", `/maintenance_events?page_token=${first.page_token}`)).body.data;
    expect([first.maintenance_events.length, second.maintenance_events.length, second.page_token]).toEqual([
      100,
      1,
      null,
    ]);
    expect((await call(cloud, "GET", "/maintenance_events?page_token=x")).status).toBe(400);
  });

  test("of instances that nobody has is refused", async () => {
    await expect(admin.addMaintenance({ instanceIds: ["x"] })).rejects.toThrow("No instance x");
  });

  test("whatever happens, what is over stays over, and nothing begins before its time", async () => {
    const id = await booted();
    const rank = { scheduled: 0, in_progress: 1, completed: 2, canceled: 2 };
    const step = fc.oneof(
      fc.record({ wait: fc.integer({ min: -600, max: 4000 }) }),
      fc.record({ begin: fc.integer({ min: 0, max: 5000 }), length: fc.integer({ min: 0, max: 3000 }) }),
      fc.record({ restart: fc.constant(true) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 12 }), async (steps) => {
        const known = new Map<string, keyof typeof rank>();
        for (const each of steps) {
          if ("wait" in each) clock.advance(each.wait);
          else if ("begin" in each)
            await admin.addMaintenance({
              ...{ instanceIds: [id], inSeconds: each.begin, endsInSeconds: each.begin + each.length },
            });
          else await call(cloud, "POST", "/instance-operations/restart", { instance_ids: [id] });
          const answer = await call(cloud, "GET", "/regions");
          const now = Date.parse(answer.headers.get("date") ?? "");
          await read(cloud, id);
          for (const { id: event, status, notBefore = 0, notAfter = 0 } of cloud.store.state.maintenance) {
            expect(rank[status]).toBeGreaterThanOrEqual(rank[known.get(event) ?? "scheduled"]);
            if (status === "scheduled") expect(notBefore).toBeGreaterThan(now);
            else expect(notBefore).toBeLessThan(now + 1000);
            if (status === "completed") expect(notAfter).toBeLessThan(now + 1000);
            known.set(event, status);
          }
        }
        cloud.store.state.maintenance = [];
      }),
      { numRuns: 40, seed: 20261129 },
    );
  });

  test("ends with its instance", async () => {
    const id = await booted();
    await admin.addMaintenance({ instanceIds: [id], inSeconds: 3600 });
    await call(cloud, "POST", "/instance-operations/terminate", { instance_ids: [id] });
    expect(await events()).toMatchObject([{ status: "canceled" }]);
  });
});
