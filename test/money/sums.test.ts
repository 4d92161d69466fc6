import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { sumBy } from "../../cli/costs/costs";
import { type Bill, billedMinutes, dollarsOf, exactDollars, money } from "../../lambda/billing/bill";
import { parseLedger } from "../../lambda/billing/ledger";
import { priceTable } from "../../lambda/launch/price-table";

const metered = fc.record({
  minutes: fc.integer({ min: 0, max: 100_000 }),
  priceCentsPerHour: fc.integer({ min: 0, max: 10_000 }),
});

const billOf = (changes: Partial<Bill> = {}): Bill => ({
  version: 1,
  stack: "gpu",
  emulated: false,
  instanceId: "i1",
  instanceType: "gpu_1x_a10",
  region: "us-east-1",
  launchedAt: "2026-11-24T10:00:00.000Z",
  billedSince: "2026-11-24T10:04:00.000Z",
  terminatedAt: "2026-11-24T11:00:00.000Z",
  minutes: 56,
  priceCentsPerHour: 129,
  dollars: 1.204,
  estimate: null,
  endedBy: "us",
  runs: [{ experiment: "a", outcome: "finished", metrics: {} }],
  ...changes,
});

describe("sums", () => {
  test("are exact before they are rounded to cents, in any order, however many", () => {
    fc.assert(
      fc.property(fc.array(metered, { maxLength: 200 }), (bills) => {
        const sixtieths = bills.reduce((sum, each) => sum + BigInt(each.minutes) * BigInt(each.priceCentsPerHour), 0n);
        const cents = (sixtieths + 30n) / 60n;
        expect(Math.round(dollarsOf(...bills) * 100)).toBe(Number(cents));
        expect(dollarsOf(...bills.toReversed())).toBe(dollarsOf(...bills));
      }),
    );
    // 600 instances of a third of a cent are two dollars, not 600 times nothing.
    expect(dollarsOf(...Array.from({ length: 600 }, () => ({ minutes: 1, priceCentsPerHour: 20 })))).toBe(2);
    expect(exactDollars({ minutes: 1, priceCentsPerHour: 20 })).toBe(0.0033);
    expect(money(0)).toBe("$0.00");
  });

  test("count every minute that has begun, and none before", () => {
    expect([0, 1, 60_000, 60_001].map((ms) => billedMinutes(5, 5 + ms))).toEqual([0, 1, 1, 2]);
    expect(billedMinutes(10, 5)).toBe(0);
  });

  test("by stack, experiment and month keep what nobody pays apart", () => {
    const bills = [
      billOf(),
      billOf({ instanceId: "i2", terminatedAt: "2026-12-01T00:00:00.000Z", estimate: "nothing tells" }),
      billOf({ instanceId: "i3", emulated: true }),
    ];
    expect(sumBy(bills, "stack")).toMatchObject([
      { name: "gpu", emulated: false, instances: 2, dollars: 2.41, estimated: true },
      { name: "gpu", emulated: true, instances: 1, dollars: 1.2 },
    ]);
    expect(sumBy(bills, "month").map(({ name, instances }) => [name, instances])).toEqual([
      ["2026-11", 1],
      ["2026-11", 1],
      ["2026-12", 1],
    ]);
  });
});

describe("a ledger's text", () => {
  test("whatever its lines hold: bills count once each, the rest is told, nothing throws", () => {
    const line = fc.oneof(fc.string(), fc.json(), fc.constantFrom(JSON.stringify(billOf()), '{"version":2}', ""));
    fc.assert(
      fc.property(fc.array(line), (lines) => {
        const text = lines.map((each) => each.replaceAll("\n", " ")).join("\n");
        const { bills, problems } = parseLedger("ledger", text);
        const good = lines.filter((each) => each === JSON.stringify(billOf())).length;
        const empty = lines.filter((each) => each.trim() === "").length;
        expect(bills).toEqual(good > 0 ? [billOf()] : []);
        expect(problems).toHaveLength(lines.length - good - empty);
      }),
    );
  });
});

describe("the table before a launch", () => {
  const offer = (name: string, priceCentsPerHour: number, regionsWithCapacity: string[]) =>
    ({ type: { name, priceCentsPerHour, description: name }, regionsWithCapacity }) as never;
  const wish = {
    instanceTypes: ["gpu_8x_h100", "gpu_1x_a10", "gpu_1x_b200"],
    regions: ["us-east-1", "us-west-1"],
    expectedHours: 10,
    budgetDollars: 20,
    fileSystem: { name: "sets", region: "us-east-1", bytesUsed: 120e9 },
  };

  test("has where capacity is, price and total, and what is over the limits, in the order of trying", () => {
    const offers = [offer("gpu_8x_h100", 3192, []), offer("gpu_1x_a10", 129, ["us-west-1", "us-south-1"])];
    expect(priceTable(wish, offers)).toEqual([
      "Launching gpu_8x_h100 or gpu_1x_a10 or gpu_1x_b200 in us-east-1 or us-west-1 (budget $20.00):",
      "instance type  capacity now  per hour  expected hours  expected total  limits",
      "gpu_1x_a10     us-west-1     $1.29     10              $12.90          within",
      "gpu_8x_h100    none now      $31.92    10              $319.20         over budget",
      "gpu_1x_b200    unknown       unknown   10              unknown         over: not listed",
      "File system sets: 120 GB used, $24.00 per month ($0.20 per GB and month), attached or not, until you delete it.",
    ]);
  });

  test("says why nothing is known", () => {
    const lines = priceTable({ ...wish, fileSystem: undefined, expectedHours: undefined }, "there is no key.");
    expect(lines[2]).toMatch(/^gpu_8x_h100 +unknown +unknown +not set +open +unknown$/);
    expect(lines.at(-1)).toBe("Prices and capacity are unknown: there is no key.");
  });
});
