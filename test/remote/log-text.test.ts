import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LogLines, logLines, plainText, SafeText, safeText } from "../../remote/log-text";

/** Pieces of which terminals make more than text, among text. */
const hostile = fc
  .array(
    fc.oneof(
      fc.string({ unit: "grapheme" }),
      fc.constantFrom("\u001b", "\u001b[", "\u001b]", "\u001b]0;t", "\u001bP", "\u001b\\", "\u0007", "\r", "\n", "\t"),
      fc.constantFrom("[", "]", "m", "31", ";", "?25", "h", " ", "2J", "52;c;", "x".repeat(70), "x".repeat(5000)),
      fc.integer({ min: 0, max: 0xa0 }).map((code) => String.fromCharCode(code)),
    ),
    { maxLength: 30 },
  )
  .map((pieces) => pieces.join(""));
/** Where a stream of bytes is cut. */
const cuts = fc.array(fc.nat(60), { maxLength: 40 });

/** What steers a terminal but colours, tabs, returns and line ends. */
const steering = new RegExp(
  ["[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f]", "[\\u202a-\\u202e\\u2066-\\u2069]"].join("|"),
);
const colours = new RegExp(["\\u001b\\[", "[\\d;:]*m"].join(""), "g");

function* cutAt(bytes: Buffer, lengths: readonly number[]): Generator<Buffer> {
  let from = 0;
  for (const length of lengths) {
    yield bytes.subarray(from, from + length);
    from += length;
  }
  yield bytes.subarray(from);
}

describe("text of a workload", () => {
  it("steers nothing but colours, whatever it holds and however it is cut", () => {
    fc.assert(
      fc.property(hostile, cuts, (text, lengths) => {
        const whole = safeText(text);
        expect(whole.replace(colours, "")).not.toMatch(steering);
        const stream = new SafeText();
        const pieces = [...cutAt(Buffer.from(text), lengths)].map((chunk) => stream.push(chunk));
        expect(pieces.join("") + stream.end()).toBe(whole);
        expect(plainText(text)).not.toMatch(steering);
        expect(plainText(text)).not.toMatch(/[\r\n]/);
      }),
      { numRuns: 500 },
    );
  });

  it("without any of that stays as it is", () => {
    const line = fc.string({ unit: "grapheme" }).filter((text) => !steering.test(text));
    fc.assert(
      fc.property(line, (text) => {
        expect(safeText(text)).toBe(text);
      }),
    );
  });

  it.each([
    ["\u001b[1;31mred\u001b[0m", "\u001b[1;31mred\u001b[0m"],
    ["\u001b[38:2::1:2:3mred\u009b0m", "\u001b[38:2::1:2:3mred\u001b[0m"],
    ["\u001b]0;a title\u0007after", "after"],
    ["\u001b]52;c;ZXZpbA==\u001b\\after", "after"],
    ["\u001b]8;;http://x\u001b\\link\u001b]8;;\u001b\\", "link"],
    ["\u001bPdevice\u001b\\after\u009dtitle\u009cafter", "afterafter"],
    ["\u001b[2J\u001b[1A\u001b[?1049h\u001b[>4;2mafter\u001b[6n", "after"],
    ["\u001bcafter\u001b(0", "after"],
    ["\u001b]0;never ends\nafter", "\nafter"],
    [`\u001b]0;${"x".repeat(4100)}`, "xxxxxx"],
    ["a\u0000\u0008b\tc\r\n", "ab\tc\r\n"],
    ["\u202eevil\u202c", "evil"],
    ["<b>&amp;</b>", "<b>&amp;</b>"],
  ])("shows no more than text and colours: %j", (text, shown) => {
    expect(safeText(text)).toBe(shown);
  });

  it("takes linear time, whatever it begins and does not end", () => {
    const before = process.cpuUsage().user;
    for (const piece of ["\u001b]", "\u009d", "\u001b[", "\u001b", "\u001b[0", "\r", "\u001bP\u001b"]) {
      const lines = new LogLines();
      for (let at = 0; at < 2; at++) lines.push(Buffer.from(piece.repeat(50_000)));
    }
    expect(process.cpuUsage().user - before).toBeLessThan(5_000_000);
  });
});

describe("lines of a log", () => {
  it("are the same however their bytes come", () => {
    const line = fc.string({ unit: "grapheme" }).filter((text) => !/[\r\n]/.test(text));
    fc.assert(
      fc.property(fc.array(line, { maxLength: 20 }), cuts, (all, lengths) => {
        const bytes = Buffer.from(all.map((text) => `${text}\n`).join(""));
        const lines = new LogLines();
        const found = [...cutAt(bytes, lengths)].flatMap((chunk) => lines.push(chunk));
        expect([...found, ...lines.end()]).toEqual(all.map(safeText));
      }),
    );
  });

  it("of a progress bar are what it shows last", () => {
    const lines = new LogLines();
    expect(lines.push(Buffer.from("1 %\r50 %"))).toEqual([]);
    expect(lines.open).toBe("50 %");
    expect(lines.push(Buffer.from("\r"))).toEqual([]);
    expect(lines.open).toBe("50 %");
    expect(lines.push(Buffer.from("100 %\r\r\nnext\n\n 1 %\r"))).toEqual(["100 %", "next", ""]);
    expect(lines.end()).toEqual([" 1 %"]);
    expect(logLines("1 %\r2 %\n\n \u001b[0m\nend")).toEqual(["2 %", "end"]);
  });

  it("take no endless memory where one has no end", () => {
    const lines = new LogLines();
    for (let at = 0; at < 50; at++) lines.push(Buffer.from(`${at} %\r`.repeat(10_000)));
    expect(lines.open).toBe("49 %");
    let shown = 0;
    for (let at = 0; at < 40; at++) for (const line of lines.push(Buffer.alloc(100_000, "x"))) shown += line.length;
    expect(shown).toBeGreaterThan(3_000_000);
  });
});
