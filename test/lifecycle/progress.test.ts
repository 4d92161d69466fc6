import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack } from "../support/tiny";

/** Stands for the minute: seconds after which a phase that goes on must have been told again. */
const minute = 1.5;

interface Line {
  /** Seconds. */
  readonly at: number;
  readonly text: string;
}

/** What a resource's row says in a log, line by line; empty where it just begins or ends. */
function row(lines: readonly Line[], name: string): Line[] {
  const pattern = new RegExp(`^ .{4}\\S+:\\w+ ${name} (?:creating|created) \\([\\d.]+m?s\\) ?(.*)$`);
  return lines.flatMap(({ at, text }) => {
    const said = pattern.exec(text)?.[1];
    return said === undefined ? [] : [{ at, text: said }];
  });
}

describe("what an update tells while it goes on", { timeout: 120_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project, {
      environment: { setup: "for i in 1 2 3 4 5 6 7 8 9 10; do echo Installing package $i; sleep 1; done" },
      overrides: { steps: 100_000 },
    });
    // What cannot be compressed takes over ten seconds over the throttled line.
    project.write("tiny-data/valid/big.bin", randomBytes(900_000).toString("latin1"));
  });
  afterAll(() => project.dispose());

  it("in a log: no phase is silent for a minute, and none fills it", async () => {
    const capacity = (free: number | null): Promise<unknown> =>
      cloud.admin.setCapacity({ instanceType: "cpu_4x_general", region: "us-east-1", free, listed: true });
    await capacity(0);
    await cloud.admin.addLinkFault({ match: {}, trouble: { kind: "throttle", bytesPerSecond: 100_000 } });
    const env = { LAMBDA_TRAIN_STATUS_SECONDS: String(minute) };
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js"], env);
    const lines: Line[] = [];
    let rest = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      const parts = `${rest}${chunk}`.split("\n");
      rest = parts.pop() ?? "";
      for (const text of parts) lines.push({ at: Date.now() / 1000, text });
    });
    const deadline = Date.now() + 60_000;
    while (row(lines, "instance-vm").length < 6 && Date.now() < deadline) await sleep(100);
    await capacity(null);
    const { code, output } = await ended;
    expect(code, output).toBe(0);
    await cloud.admin.removeAllFaults();

    for (const name of ["instance-vm", "environment-setup", "dataset-upload"]) {
      const said = row(lines, name);
      const gaps = said.slice(1).map(({ at }, i) => at - (said[i]?.at ?? 0));
      // A phase that told nothing would leave a gap of twice that; a busy machine may tell late.
      expect(Math.max(...gaps), output).toBeLessThan(3 * minute);
      const lasted = (said.at(-1)?.at ?? 0) - (said[0]?.at ?? 0);
      // Besides one a minute: begin, end, and the facts that are kept.
      expect(said.length, output).toBeLessThan(lasted / minute + 7);
    }
    expect(output).toMatch(
      /instance-vm creating.*waiting for capacity since \d\d:\d\d: cpu_4x_general in us-east-1; asked \w+( times)?, refused \w+( times)?; \d+ min left/,
    );
    expect(output).toMatch(/dataset-upload creating .*sending: \d\.\d of \d\.\d MB/);
    expect(output).toMatch(/environment-setup creating .*setup: started/);
    expect(output).toMatch(/Diagnostics:[\s\S]*Run \(run-watch\):\s+first step: step 1 loss/);
    expect(output).toMatch(/Instance \(instance-vm\):[\s\S]*launched cpu_4x_general in us-east-1 at \$0\.20 per hour/);
  });

  it("in a terminal: each resource's own row shows its phase", async () => {
    await cloud.admin.addLinkFault({ match: {}, trouble: { kind: "throttle", bytesPerSecond: 20_000 } });
    const { ended } = project.terminal("down", ["--keep-cloud"], { PULUMI_DISABLE_CI_DETECTION: "yes" }, 200);
    const { code, output } = await ended;
    expect(code, output).toBe(0);
    const screen = stripVTControlCharacters(output);
    expect(screen).toMatch(
      /Results +results-guard +deleting \(\d+s\)[. ]+stopping( \(\d+ s\))?: \d+ s left for a checkpoint/,
    );
    expect(screen).toMatch(/Instance +instance-vm +deleting \(\d+s\)[. ]+terminating: instance [0-9a-f]{32}/);
    expect(screen).not.toMatch(/pulumi:pulumi:Stack.*(stopping|terminating)/);
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("interrupted without a terminal, as when CI is cancelled: the wait for capacity ends, and nothing is rented", async () => {
    configureTiny(project, { stack: { capacityTimeoutMinutes: 6000 } });
    await cloud.admin.setCapacity({ instanceType: "*", region: "*", free: 0 });
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js"]);
    let seen = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      seen += chunk.toString();
    });
    const deadline = Date.now() + 60_000;
    while (!seen.includes("no capacity now") && Date.now() < deadline) await sleep(100);
    child.kill("SIGINT");
    const { code, output } = await ended;
    expect(code, output).not.toBe(0);
    expect(output).toContain("Interrupted while waiting. Run the command again to continue");
    expect((await cloud.inventory()).instances).toEqual([]);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
