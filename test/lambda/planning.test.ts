import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { redact } from "../../lambda/api/redact";
import { answers, type Offer } from "../../lambda/api/schemas";
import { duration, waitFor } from "../../lambda/api/waiting";
import { costSince, forecast, overLimits } from "../../lambda/billing/forecast";
import { planCandidates, unlistedInRound } from "../../lambda/launch/planner";
import { preflight } from "../../lambda/launch/preflight";
import { renderUserData } from "../../lambda/launch/user-data";
import { closest, editDistance } from "../../plan/closest";

const types = ["gpu_1x_a10", "gpu_1x_a100", "gpu_8x_h100_sxm5", "cpu_4x_general"];
const regions = ["us-east-1", "us-west-1", "us-south-2", "europe-central-1"];

function offer(name: string, regionsWithCapacity: string[] = [], priceCentsPerHour: number | undefined = 100): Offer {
  const { type } = answers.offers.parse({
    [name]: { instance_type: { name, price_cents_per_hour: priceCentsPerHour }, regions_with_capacity_available: [] },
  })[0] as Offer;
  return { type, regionsWithCapacity };
}

const offers = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...types), fc.subarray(regions)), { selector: ([name]) => name })
  .map((list) => list.map(([name, free]) => offer(name, free)));
const wanted = fc.record({
  instanceTypes: fc.shuffledSubarray(types, { minLength: 1 }),
  regions: fc.shuffledSubarray(regions, { minLength: 1 }),
});

describe("candidates", () => {
  test("are each wanted combination once, listed ones first, in the order of preference", () => {
    fc.assert(
      fc.property(offers, wanted, (list, want) => {
        const candidates = planCandidates(list, want);
        const keys = candidates.map((each) => `${each.instanceType} ${each.region}`);
        expect(new Set(keys).size).toBe(want.instanceTypes.length * want.regions.length);
        expect(keys).toHaveLength(new Set(keys).size);
        const isListed = (type: string, region: string): boolean =>
          list.some((each) => each.type.name === type && each.regionsWithCapacity.includes(region));
        const rank = ({ instanceType, region, listed }: (typeof candidates)[number]): number => {
          expect(listed).toBe(isListed(instanceType, region));
          const type = want.instanceTypes.indexOf(instanceType);
          return (listed ? 0 : 1000) + type * 10 + want.regions.indexOf(region);
        };
        const ranks = candidates.map(rank);
        expect(ranks).toEqual([...ranks].sort((a, b) => a - b));
      }),
    );
  });

  test("that are not listed come rarely, and each in its turn", () => {
    fc.assert(
      fc.property(offers, wanted, (list, want) => {
        const all = planCandidates(list, want);
        const unlisted = all.filter((each) => !each.listed);
        const tried = Array.from({ length: 6 * unlisted.length }, (_, round) =>
          planCandidates(list, want, unlistedInRound(round)).filter((each) => !each.listed),
        );
        expect(tried.every((each) => each.length <= 1)).toBe(true);
        expect(tried.flat().map((each) => JSON.stringify(each))).toEqual(unlisted.map((each) => JSON.stringify(each)));
      }),
    );
  });
});

describe("preflight", () => {
  const list = [offer("gpu_1x_a10", ["us-east-1"], 129), offer("gpu_8x_h100_sxm5", [], 3192)];
  const known = regions.map((name) => ({ name, description: undefined }));

  test("names everything that does not exist, and what looks like it", () => {
    const want = { instanceTypes: ["gpu_1x_a01", "gpu_1x_a10"], regions: ["us-east"], fileSystemNames: ["weights"] };
    const run = (): unknown => preflight(want, { offers: list, regions: known });
    expect(run).toThrow(
      /Nothing was launched.*"gpu_1x_a01".*gpu_1x_a10.*region "us-east".*us-east-1.*file system "weights"/s,
    );
  });

  test("leaves out what is too expensive, and fails where nothing remains", () => {
    const want = { instanceTypes: ["gpu_8x_h100_sxm5", "gpu_1x_a10"], regions: ["us-east-1"] };
    const limited = preflight({ ...want, maxPricePerHour: 2 }, { offers: list, regions: known });
    expect(limited.instanceTypes).toEqual(["gpu_1x_a10"]);
    expect(limited.notes.join()).toContain("$31.92 per hour is over maxPricePerHour $2.00");
    expect(() => preflight({ ...want, budgetDollars: 5, expectedHours: 10 }, { offers: list, regions: known })).toThrow(
      /10 h at \$1\.29 = \$12\.90 is over budgetDollars \$5\.00/,
    );
  });

  test("keeps to the region of the file system", () => {
    const weights = {
      id: "1",
      name: "weights",
      mountPoint: "/x",
      region: "us-west-1",
    };
    const account = { offers: list, regions: known, fileSystems: [weights] };
    const want = { instanceTypes: ["gpu_1x_a10"], regions: ["us-east-1", "us-west-1"], fileSystemNames: ["weights"] };
    expect(preflight(want, account).regions).toEqual(["us-west-1"]);
    expect(() => preflight({ ...want, regions: ["us-east-1"] }, account)).toThrow(/No region fits.*us-west-1/);
  });

  test("knows images, and which processors they are for", () => {
    const images = answers.images.parse([
      { id: "1", family: "lambda-stack-22-04", architecture: "x86_64", region: { name: "us-east-1" } },
      { id: "2", family: "lambda-stack-22-04", architecture: "x86_64", region: { name: "us-west-1" } },
    ]);
    const account = { offers: [...list, offer("gpu_1x_gh200")], images };
    const want = { instanceTypes: ["gpu_1x_gh200", "gpu_1x_a10"], regions: ["us-east-1"] };
    const fitting = preflight({ ...want, imageFamily: "lambda-stack-22-04" }, account);
    expect(fitting.instanceTypes).toEqual(["gpu_1x_a10"]);
    expect(fitting.notes.join()).toContain("has no image for arm64");
    expect(() => preflight({ ...want, imageFamily: "lambda-stack-22" }, account)).toThrow(
      /No image family "lambda-stack-22". Did you mean lambda-stack-22-04\?/,
    );
  });

  test("does not ask for regions where the API has no list of them", () => {
    expect(preflight({ instanceTypes: ["gpu_1x_a10"], regions: ["mars"] }, { offers: list }).regions).toEqual(["mars"]);
  });
});

test("forecasts tell total and hours within the budget; a price not known is over any limit", () => {
  expect(forecast(129, { expectedHours: 10, budgetDollars: 12.9 })).toEqual({
    pricePerHour: 1.29,
    expectedHours: 10,
    expectedDollars: 12.9,
    hoursInBudget: 10,
  });
  expect(costSince("2026-11-24T10:00:00Z", 120, Date.parse("2026-11-24T11:00:01Z"))).toBe(1.22);
  expect(overLimits(129, { expectedHours: 10, budgetDollars: 12.9 })).toBeUndefined();
  expect(overLimits(undefined, { budgetDollars: 1 })).toContain("not listed");
  expect(overLimits(undefined, {})).toBeUndefined();
});

describe("answers", () => {
  const absent = fc.constantFrom(undefined, null, "");
  const extra = fc.dictionary(
    fc.string().filter((key) => key.startsWith("x")),
    fc.jsonValue(),
  );

  test("of instances are read whatever is absent, null, empty or new", () => {
    const raw = fc.record({
      id: fc.string({ minLength: 1 }),
      status: fc.string(),
      name: absent,
      ip: absent,
      hostname: absent,
      tags: fc.constantFrom(undefined, null, []),
    });
    fc.assert(
      fc.property(raw, extra, (each, more) => {
        const instance = answers.instance.parse({
          ...more,
          ...each,
          jupyter_token: "t0ken",
          jupyter_url: "u?token=t0ken",
        });
        expect(instance).toMatchObject({
          id: each.id,
          status: each.status,
          name: undefined,
          ip: undefined,
          tags: {},
        });
        expect(Object.keys(instance).filter((key) => key.startsWith("x") || key.startsWith("jupyter"))).toEqual([]);
      }),
    );
  });

  test("that are anything else are refused, never thrown otherwise", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        for (const schema of Object.values(answers)) expect(typeof schema.safeParse(value).success).toBe("boolean");
      }),
    );
  });
});

test("user data gives the one host key, as YAML that reads back the same", () => {
  const text = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(
      text,
      fc.dictionary(fc.constantFrom("runcmd", "packages", "write_files"), fc.jsonValue()),
      (comment, extra) => {
        const privateKey = "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaA==\n-----END OPENSSH PRIVATE KEY-----\n";
        const publicKey = `ssh-ed25519 AAAA ${comment}`.trim();
        const data = renderUserData({ privateKey, publicKey }, extra);
        expect(data.startsWith("#cloud-config\n")).toBe(true);
        const read = parse(data) as Record<string, unknown>;
        expect(read.ssh_keys).toEqual({ ed25519_private: privateKey, ed25519_public: publicKey });
        expect(renderUserData({ privateKey, publicKey }, extra)).toBe(data);
      },
    ),
  );
  expect(() => renderUserData({ privateKey: "a", publicKey: "b" }, { ssh_keys: {} })).toThrow(
    /ssh_keys belongs to the stack/,
  );
  expect(() => renderUserData({ privateKey: "a", publicKey: "b" }, { x: "x".repeat(1_000_001) })).toThrow(
    /at most 1000000/,
  );
});

test("names that look alike are found", () => {
  expect(closest("gpu_1x_a101", types)[0]).toBe("gpu_1x_a10");
  expect(closest("something else entirely", types)).toEqual([]);
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => editDistance(a, b) === editDistance(b, a)));
});

test("secrets are taken out of any text", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string({ minLength: 8 }), (before, after, secret) => {
      expect(redact(`${before}${secret}${after}`, [secret])).not.toContain(secret);
    }),
  );
});

describe("waiting", () => {
  function fakeClock(): { now: () => number; sleep: (ms: number) => Promise<void>; time: number } {
    const clock = {
      time: 0,
      now: (): number => clock.time,
      sleep: async (ms: number): Promise<void> => {
        clock.time += ms;
      },
    };
    return clock;
  }

  test("looks at once, then with growing pauses, a last time at the end", async () => {
    const clock = fakeClock();
    const looks: number[] = [];
    const look = async (): Promise<undefined> => void looks.push(clock.time / 1000);
    const options = { clock, timeoutSeconds: 30, firstPauseSeconds: 4, longestPauseSeconds: 9, random: () => 0.5 };
    expect(await waitFor(look, options)).toBeUndefined();
    expect(looks).toEqual([0, 4, 10, 19, 28, 30]);
  });

  test("returns what is found, and looks once where there is no time", async () => {
    let looks = 0;
    const look = async (): Promise<string | undefined> => (++looks === 3 ? "it" : undefined);
    expect(await waitFor(look, { clock: fakeClock(), timeoutSeconds: 60 })).toBe("it");
    expect(await waitFor(async () => undefined, { clock: fakeClock(), timeoutSeconds: 0 })).toBeUndefined();
  });

  test("ends with its signal and with what look throws", async () => {
    const signal = AbortSignal.abort(new Error("stop"));
    await expect(waitFor(async () => 1, { clock: fakeClock(), timeoutSeconds: 1, signal })).rejects.toThrow("stop");
    await expect(
      waitFor(() => Promise.reject(new Error("bad")), { clock: fakeClock(), timeoutSeconds: 1 }),
    ).rejects.toThrow("bad");
  });

  test("tells durations in words", () => {
    expect([duration(7500), duration(7200)]).toEqual(["2 h 5 min", "2 h"]);
  });
});
