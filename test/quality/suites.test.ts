import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { TestSpecification, Vitest } from "vitest/node";
import { fleetFiles } from "../support/fleet-files.mjs";
import listed from "../support/long-files.json";
import LongestFirst from "../support/longest-first.mjs";

const test = join(__dirname, "..");

it("the list of long files names files that exist", () => {
  expect(Object.keys(listed).filter((path) => !existsSync(join(test, path)))).toEqual([]);
});

it("files start in the order of what they took, or else are listed to take, unless they failed", async () => {
  const took: Record<string, object> = {
    "lifecycle/nodes.test.ts": { failed: true, duration: 10 },
    "plan/plan.test.ts": { failed: false, duration: 500_000 },
    "lifecycle/ray.test.ts": { failed: false, duration: 20_000 },
  };
  const file = (path: string) => ({ moduleId: join(test, path) }) as TestSpecification;
  const cache = {
    getTestSpecificationResult: ({ moduleId }: TestSpecification) => took[moduleId.slice(test.length + 1)],
  };
  const paths = ["plan/standing.test.ts", "lifecycle/ray.test.ts", "lifecycle/nodes.test.ts", "plan/plan.test.ts"];
  const sorted = await new LongestFirst({ cache } as unknown as Vitest).sort(paths.map(file));
  expect(sorted.map(({ moduleId }) => moduleId.slice(test.length + 1))).toEqual(paths.toReversed());
});

it("test:fleet finds the files whose rarer cases the default run leaves out", () => {
  expect(fleetFiles).toEqual(expect.arrayContaining(["test/lifecycle/ray.test.ts", "test/lifecycle/resume.test.ts"]));
  expect(fleetFiles).not.toContain("test/lifecycle/nodes.test.ts");
});
