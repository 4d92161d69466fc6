import { globSync, readdirSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { inFleetSuite } from "../support/fleet-suite";
import { Resuming, savedAt } from "../support/resuming";

/** Through the real commands: a damaged checkpoint is passed over for the one before, on the machine, at home, and on the file system. */
describe("a run that resumes from the newest checkpoint that is whole", { timeout: 300_000 }, () => {
  const runs = new Resuming();
  const { project } = runs;
  const before = savedAt - 5;

  beforeAll(() => runs.start(true), 120_000);
  afterEach(() => runs.clean(), 120_000);
  afterAll(() => runs.dispose());

  it("is told of one that is damaged on the machine", async () => {
    runs.configure("damaged", { train: { checkpoint: "checkpoints/step_*.pt" } });
    await runs.begin("damaged");
    await runs.kill("damaged");
    const newest = `step_${savedAt}.pt`;
    await runs.onInstance(`truncate -s 300 tiny/outputs/damaged/checkpoints/${newest}`);
    await project.succeeds("up", ["--refresh"]);
    const log = await project.succeeds("logs", ["--no-follow"]);
    expect(log).toContain(`/${newest}: its end is missing. It is now ${newest}.damaged.`);
    expect(log).toMatch(new RegExp(`attempt 2, started .*newest checkpoint \\S+/step_${before}\\.pt`));
    expect(await project.succeeds("status")).toContain(`a damaged checkpoint was passed over: ${newest}`);
    await runs.finish("damaged");
    runs.expectWhole("damaged", [0, before]);
    expect(readdirSync(runs.home("damaged", "checkpoints"))).toContain(`${newest}.damaged`);
  });

  inFleetSuite(() => {
    it("is told of one that is damaged at home", async () => {
      runs.configure("rotten");
      await runs.begin("rotten");
      await project.succeeds("down", ["--keep-cloud"]);
      const newest = runs.home("rotten", `checkpoints/step_${savedAt}.pt`);
      const { mtime, size } = statSync(newest);
      writeFileSync(newest, Buffer.alloc(size, 7));
      utimesSync(newest, mtime, mtime);
      const output = await project.succeeds("up");
      expect(output).toMatch(new RegExp(`Passed over, .* \\(SHA-256\\): "checkpoints/step_${savedAt}\\.pt"`));
      expect(output).toContain("rotten goes on as attempt 2");
      await runs.finish("rotten");
      runs.expectWhole("rotten", [0, before]);
    });

    it("is told of a copy on the file system that is damaged, and goes on from the one before", async () => {
      const copies = "/lambda/nfs/kept/lambda-train/checkpoints/test/copied";
      runs.configure("copied", {
        stack: { fileSystem: "kept", createFileSystem: true },
        checkpoints: { sync: "fileSystem", everyMinutes: 0.01, keep: 2 },
        train: { checkpoint: "checkpoints/step_*.pt" },
        // Time for a copy of each.
        overrides: { seconds_per_step: 0.4 },
      });
      await runs.begin("copied");
      const files = (): string[] =>
        globSync(`.local/**/checkpoints/test/copied/*/workspace/outputs/copied/checkpoints/step_*.pt`, {
          cwd: project.folder,
        }).sort();
      await expect
        .poll(files, { timeout: 30_000 })
        .toEqual([expect.stringContaining(`step_${before}.pt`), expect.stringContaining(`step_${savedAt}.pt`)]);
      await expect
        .poll(async () => (await project.run("status")).output, { timeout: 30_000 })
        .toContain(`step_${savedAt}.pt to ${copies}`);
      await runs.lose();
      truncateSync(join(project.folder, files()[1] ?? ""), 100);
      const output = await project.succeeds("up");
      expect(output).toMatch(
        new RegExp(`Passed over a copy in ${copies}: \\S+: workspace/\\S+/step_${savedAt}\\.pt is damaged`),
      );
      expect(output).toMatch(
        /copied goes on as attempt 2: put back \S+ \(\d+ files, \S+ MB\) from \/lambda\/nfs\/kept\//,
      );
      await runs.finish("copied");
      runs.expectWhole("copied", [0, before]);
    });
  });
});
