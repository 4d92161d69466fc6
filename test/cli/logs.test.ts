import { describe, expect, it } from "vitest";
import { LineFilter } from "../../cli/terminal/line-filter";
import { sinceOption } from "../../cli/terminal/since";

const filtered = (options: ConstructorParameters<typeof LineFilter>[0], lines: readonly string[]): string[] => {
  const filter = new LineFilter(options);
  return lines.flatMap((line) => filter.show(line) ?? []);
};

describe("filtering lines", () => {
  it("shows those that match, or those that do not", () => {
    const lines = ["step 1 größe 🚂", " 20%", "other"];
    expect(filtered({ pattern: "step|20%" }, lines)).toEqual(lines.slice(0, 2));
    expect(filtered({ pattern: "STEP", ignoreCase: true, invert: true }, lines)).toEqual(lines.slice(1));
  });

  it("marks what matched, and what matches nothing marks nothing", () => {
    const mark = (matched: string): string => `<${matched}>`;
    expect(filtered({ pattern: "\\d+", mark }, ["a1b22", "c"])).toEqual(["a<1>b<22>"]);
    expect(filtered({ pattern: "x*", mark }, ["axxb"])).toEqual(["a<xx>b"]);
  });

  it("takes linear time where a backtracking engine would never end", () => {
    const started = Date.now();
    expect(filtered({ pattern: "^(a+)+$" }, [`${"a".repeat(50_000)}b`])).toEqual([]);
    expect(Date.now() - started).toBeLessThan(5000);
  });

  it("says what is wrong with an expression", () => {
    expect(() => new LineFilter({ pattern: "(" })).toThrow(/--grep \(: .*no lookaround/);
  });
});

describe("--since", () => {
  it("is a span or a time, in UTC where it names no zone", () => {
    expect(sinceOption("90s")).toEqual({ secondsAgo: 90 });
    expect(sinceOption("1h30m")).toEqual({ secondsAgo: 5400 });
    for (const text of ["2026-01-31T12:00Z", "2026-01-31 12:00", "2026-01-31T13:00:00+01:00"])
      expect(sinceOption(text)).toEqual({ since: Date.UTC(2026, 0, 31, 12) / 1000 });
    expect(sinceOption("2026-01-31")).toEqual({ since: Date.UTC(2026, 0, 31) / 1000 });
    for (const text of ["", "10", "yesterday", "m10", "2026-13-01"]) expect(() => sinceOption(text)).toThrow("10m");
  });
});
