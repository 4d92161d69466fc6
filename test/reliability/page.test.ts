import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { nameOf } from "../faults/case";
import { allCases } from "../faults/cases";
import type { FaultFigures } from "../faults/report";
import { figures, page, pagePath } from "./page";

it("docs/reliability.md is what the figures in docs/reliability/ make", () => {
  expect(readFileSync(pagePath, "utf8")).toBe(page());
});

it("docs/reliability.md tells of every case of the fault matrix, and of no other (else: npm run test:faults)", () => {
  const run = figures<FaultFigures>("faults");
  expect(run?.cases.map(nameOf).sort()).toEqual(allCases.map(nameOf).sort());
});
