import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import type { Bill } from "../../lambda/billing/bill";
import { tellOfEnd } from "../../notices/end";
import { type Notice, noticeOfEnd } from "../../notices/notice";
import { Inbox } from "../support/inbox";

const bill: Bill = {
  version: 1,
  stack: "gpu",
  emulated: false,
  instanceId: "i1",
  instanceType: "gpu_1x_a10",
  region: "us-east-1",
  launchedAt: "2026-11-24T10:00:00.000Z",
  billedSince: "2026-11-24T10:04:00.000Z",
  terminatedAt: "2026-11-24T11:00:00.000Z",
  minutes: 56,
  priceCentsPerHour: 129,
  dollars: 1.204,
  estimate: null,
  endedBy: "us",
  runs: [{ experiment: "ink", outcome: "finished", metrics: {}, results: "results/gpu/ink" }],
};

describe("the end of an instance", () => {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-notices-"));
  const warned: string[] = [];
  let inbox: Inbox;

  beforeAll(async () => {
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", folder);
    inbox = await Inbox.start();
  });
  afterAll(() => {
    vi.unstubAllEnvs();
    inbox.stop();
    rmSync(folder, { recursive: true });
  });
  const tell = (...targets: object[]): Promise<void> =>
    tellOfEnd(bill, JSON.stringify(targets), (line) => warned.push(line));

  it("is told as its bill has it, and that nothing is downloaded where nothing is", () => {
    const { text, ...facts } = noticeOfEnd(bill);
    expect(facts).toMatchObject({
      event: "terminated",
      experiment: "ink",
      costDollars: 1.2,
      results: "results/gpu/ink",
    });
    expect(text).toMatch(
      /terminated on gpu_1x_a10 in us-east-1, about \$1\.20 in all; its results are in results\/gpu\/ink/,
    );
    const lost = { ...bill, runs: [{ experiment: "ink", outcome: "lost", metrics: {} }] };
    expect(noticeOfEnd(lost).text).toContain("none of its results are downloaded");
    const both = [...bill.runs, { experiment: "oil", outcome: "lost", metrics: {} }];
    expect(noticeOfEnd({ ...bill, runs: both }).text).toMatch(
      /are in results\/gpu\/ink, but none of oil are downloaded/,
    );
    expect(noticeOfEnd({ ...bill, runs: [] }).text).toMatch(/^no run \(stack gpu\).*in all\.$/);
  });

  it("is told to each target once, to those that want it, and a deaf one is a warning", async () => {
    const at = inbox.address;
    const all = [{ webhook: `${at}/all` }, { webhook: `${at}/other`, events: ["started"] }, { slack: `${at}/gone` }];
    await tell(...all);
    await tell(...all);
    expect(inbox.at<Notice>("/all").map(({ event }) => event)).toEqual(["terminated"]);
    expect(inbox.at("/other")).toEqual([]);
    expect(warned).toHaveLength(2);
    expect(warned[0]).toMatch(/couldn't notify slack 3 .* that the instance is terminated: .*404/);
  });

  it("is a warning, and no failure, where a target cannot be read", async () => {
    warned.length = 0;
    await tell({ webhook: "$LAMBDA_TRAIN_NOT_SET" });
    await tellOfEnd(bill, undefined, (line) => warned.push(line));
    expect(warned).toEqual([expect.stringContaining("LAMBDA_TRAIN_NOT_SET is not set")]);
  });
});
