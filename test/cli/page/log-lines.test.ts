import { describe, expect, it } from "vitest";
import { KeptLines } from "../../../cli/page/log-lines";

const texts = (lines: readonly { text: string }[]): string[] => lines.map(({ text }) => text);

describe("the page's lines of a log", () => {
  it("are kept up to a number of them, and go on after any of these", () => {
    const lines = new KeptLines(3);
    for (let number = 1; number <= 20; number++) lines.push(Buffer.from(`${number}\n`));
    expect(texts(lines.after(0))).toEqual(["18", "19", "20"]);
    expect(texts(lines.after(19))).toEqual(["20"]);
    expect(lines.after(20)).toEqual([]);
    expect(lines.last).toBe(20);
  });

  it("are text without colours, and cut", () => {
    const lines = new KeptLines(3);
    lines.push(Buffer.from(`\u001b[1;31mred\u001b[0m <b>\n${"x".repeat(5000)}\n`));
    expect(texts(lines.after(0))).toEqual(["red <b>", `${"x".repeat(2000)}…`]);
    for (let at = 0; at < 50; at++) lines.push(Buffer.alloc(10_000, "x"));
    expect(lines.open).toHaveLength(2001);
  });
});
