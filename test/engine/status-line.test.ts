import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { drawsRows } from "../../engine/link/rows";
import { type Pace, StatusLine } from "../../engine/link/status-line";

describe("a status line", () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  /** Each line with the second at which it was shown. */
  const follow = (pace: Pace): { line: StatusLine; shown: [number, string][] } => {
    const start = Date.now();
    const shown: [number, string][] = [];
    const line = new StatusLine((text) => shown.push([Math.round((Date.now() - start) / 1000), text]), pace);
    return { line, shown };
  };

  it("in a log: begins when a phase turns out long, and is never silent for a minute", () => {
    const { line, shown } = follow({ live: false });
    line.tell("launching");
    vi.advanceTimersByTime(2000);
    line.tell("booting", "instance i1");
    vi.advanceTimersByTime(130_000);
    line.tell("waiting for SSH", "refused");
    vi.advanceTimersByTime(1000);
    line.end();
    vi.advanceTimersByTime(200_000);
    expect(shown).toEqual([
      [7, "booting (5 s): instance i1"],
      [62, "booting (60 s): instance i1"],
      [117, "booting (2 min): instance i1"],
      // What was told last is no longer true, so it gets a last word.
      [133, "waiting for SSH: refused"],
    ]);
  });

  it("in a log: phases that change all the time are told about once a minute all the same", () => {
    const { line, shown } = follow({ live: false });
    for (let second = 0; second < 240; second += 1) {
      line.tell(`phase ${second}`);
      vi.advanceTimersByTime(1000);
    }
    line.end();
    expect(shown.map(([at]) => at)).toEqual([55, 110, 165, 220, 240]);
  });

  it("in a log: says nothing about what is over at once, unless its last word is wanted", () => {
    const quick = (last: boolean): [number, string][] => {
      const { line, shown } = follow({ live: false });
      line.tell("", "ok cuda");
      line.tell("", "ok module torch");
      line.end(last);
      return shown;
    };
    expect(quick(false)).toEqual([]);
    expect(quick(true)).toEqual([[0, "ok module torch"]]);
  });

  it("in a terminal: at once, and then once a second while it changes", () => {
    const { line, shown } = follow({ live: true });
    for (let part = 0; part < 30; part += 1) {
      line.tell("sending", `${part} of 30 MB`);
      vi.advanceTimersByTime(100);
    }
    line.rest();
    vi.advanceTimersByTime(10_000);
    line.end();
    expect(shown).toEqual([
      [0, "sending: 0 of 30 MB"],
      [1, "sending: 9 of 30 MB"],
      [2, "sending: 19 of 30 MB"],
      [3, "sending: 29 of 30 MB"],
    ]);
  });
});

it("takes a terminal for one only where that is sure", () => {
  expect(drawsRows({ LAMBDA_TRAIN_LIVE: "yes" })).toBe(true);
  expect(drawsRows({ LAMBDA_TRAIN_LIVE: "no" })).toBe(false);
  expect(drawsRows({ CI: "true" })).toBe(false);
  // No ancestor of a test is the engine, and process 1 is nobody's.
  expect(drawsRows({}, 1)).toBe(false);
});
