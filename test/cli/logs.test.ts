import { describe, expect, it } from "vitest";
import { LineFilter } from "../../cli/terminal/line-filter";
import { sinceOption } from "../../cli/terminal/since";

const filtered = (options: ConstructorParameters<typeof LineFilter>[0], text: string, size = text.length): string => {
  const filter = new LineFilter(options);
  const bytes = Buffer.from(text);
  let shown = "";
  for (let at = 0; at < bytes.length; at += size) shown += filter.push(bytes.subarray(at, at + size));
  return shown + filter.flush();
};

describe("filtering lines", () => {
  it("is the same however lines and characters are cut between chunks", () => {
    const text = "step 1 größe 🚂\r\n 10%\r 20%\rstep 2\nother\nstep 3";
    for (let size = 1; size < 20; size++)
      expect(filtered({ pattern: "step|20%" }, text, size)).toBe("step 1 größe 🚂\n 20%\nstep 2\nstep 3\n");
    expect(filtered({ pattern: "STEP", ignoreCase: true, invert: true }, text)).toBe(" 10%\n 20%\nother\n");
  });

  it("marks what matched, and what matches nothing marks nothing", () => {
    const mark = (matched: string): string => `<${matched}>`;
    expect(filtered({ pattern: "\\d+", mark }, "a1b22\nc\n")).toBe("a<1>b<22>\n");
    expect(filtered({ pattern: "x*", mark }, "axxb\n")).toBe("a<xx>b\n");
  });

  it("takes linear time where a backtracking engine would never end, and bounded memory for an endless line", () => {
    const started = Date.now();
    expect(filtered({ pattern: "^(a+)+$" }, `${"a".repeat(50_000)}b\n`)).toBe("");
    expect(Date.now() - started).toBeLessThan(5000);
    const filter = new LineFilter({ pattern: "y" });
    let shown = "";
    for (let i = 0; i < 40; i++) shown += filter.push(Buffer.from(`${"x".repeat(100_000)}y`));
    expect(shown.length).toBeGreaterThan(2_000_000);
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
