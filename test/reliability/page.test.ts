import { existsSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { nameOf } from "../faults/case";
import { allCases } from "../faults/cases";
import type { FaultFigures } from "../faults/report";
import { figures, page, pagePath } from "./page";

const faults = figures<FaultFigures>("faults");
const hasFigures = faults !== undefined || figures("crash") !== undefined;

it("docs/reliability.md is what the figures in docs/reliability/ make", ({ skip }) => {
  skip(!hasFigures && !existsSync(pagePath), "no suite has published the figures of a whole run yet");
  expect(readFileSync(pagePath, "utf8")).toBe(page());
});

it("docs/reliability.md tells of every case of the fault matrix, and of no other", ({ skip }) => {
  if (faults === undefined) return skip("docs/reliability/faults.json is missing: npm run test:faults writes it");
  const cases = faults.cases.map(nameOf).sort();
  expect(cases, "the cases changed since the whole run that the page tells of: npm run test:faults").toEqual(
    allCases.map(nameOf).sort(),
  );
});
