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

it("docs/reliability.md tells which cases came and went since the whole run", ({ skip }) => {
  if (faults === undefined) return skip("docs/reliability/faults.json is missing: npm run test:faults writes it");
  const [ran, now] = [faults.cases.map(nameOf), allCases.map(nameOf)];
  const text = page();
  for (const { kind, fault } of allCases.filter((one) => !ran.includes(nameOf(one))))
    expect(text).toContain(`| ${kind}: ${fault}`);
  const gone = ran.filter((name) => !now.includes(name));
  expect(text.includes("These have gone from the matrix since")).toBe(gone.length > 0);
  for (const name of gone) expect(text).toContain(name);
});
