import { execFileSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shellQuote } from "../../remote/quote";

describe("words for a shell", () => {
  const bash = (script: string): string => execFileSync("bash", ["-c", script], { encoding: "utf8" });
  const word = fc.string({ unit: "binary", maxLength: 40 }).map((text) => text.replaceAll("\0", ""));

  it("a quoted word is the word", () => {
    const awkward = [
      "",
      "'",
      "''",
      "a b",
      "$(id)",
      "`id`",
      '"',
      "\\",
      "\n",
      "-n",
      "~",
      "*",
      "!x",
      "é🙂",
      "a'b\"c\\d\ne",
    ];
    fc.assert(
      fc.property(fc.array(fc.oneof(word, fc.constantFrom(...awkward)), { minLength: 1, maxLength: 60 }), (words) => {
        expect(
          bash(`printf '%s\\0' ${words.map(shellQuote).join(" ")}`)
            .split("\0")
            .slice(0, -1),
        ).toEqual(words);
      }),
      { numRuns: 25 },
    );
    expect(() => shellQuote("a\0b")).toThrow("NUL");
  });
});
