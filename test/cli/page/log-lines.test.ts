import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogLines, plainText } from "../../../cli/page/log-lines";

const texts = (lines: readonly { text: string }[]): string[] => lines.map(({ text }) => text);

describe("the log's lines", () => {
  it("are the same however their bytes come", () => {
    const line = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), fc.array(fc.nat(50), { maxLength: 30 }), (all, cuts) => {
        const bytes = Buffer.from(all.map((text) => `${text}\n`).join(""));
        const lines = new LogLines(100);
        let from = 0;
        for (const length of cuts) {
          lines.push(bytes.subarray(from, from + length));
          from += length;
        }
        lines.push(bytes.subarray(from));
        expect(texts(lines.after(0))).toEqual(all.map(plainText));
        expect(lines.last).toBe(all.length);
      }),
    );
  });

  it("of a progress bar are what it shows last", () => {
    const lines = new LogLines(10);
    lines.push(Buffer.from("1 %\r50 %"));
    expect(lines.open).toBe("50 %");
    lines.push(Buffer.from("\r100 %\r\nnext\n"));
    expect(texts(lines.after(0))).toEqual(["100 %", "next"]);
    expect(lines.open).toBe("");
  });

  it("are kept up to a number of them, and go on after any of these", () => {
    const lines = new LogLines(3);
    for (let number = 1; number <= 20; number++) lines.push(Buffer.from(`${number}\n`));
    expect(texts(lines.after(0))).toEqual(["18", "19", "20"]);
    expect(texts(lines.after(19))).toEqual(["20"]);
    expect(lines.after(20)).toEqual([]);
  });

  it.each([
    ["\u001b[1;31mred\u001b[0m", "red"],
    ["\u001b]0;a title\u0007after", "after"],
    ["\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["a\u0000\u0008b\tc", "ab\tc"],
    ["\u202eevil\u202c", "evil"],
    ["<b>&amp;</b>", "<b>&amp;</b>"],
    ["x".repeat(5000), `${"x".repeat(2000)}…`],
  ])("show no more than text: %j", (line, shown) => {
    expect(plainText(line)).toBe(shown);
  });

  it("of endless output without a line's end take no endless memory", () => {
    const lines = new LogLines(3);
    for (let at = 0; at < 50; at++) lines.push(Buffer.alloc(10_000, "x"));
    expect(lines.open.length).toBeLessThan(2100);
    expect(texts(lines.push(Buffer.from("\n")))[0]?.length).toBeLessThan(2100);
  });
});
