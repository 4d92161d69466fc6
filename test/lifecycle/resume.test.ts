import { readdirSync, statSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { inFleetSuite } from "../support/fleet-suite";
import { heldAt, Resuming, savedAt } from "../support/resuming";

/** Through the real commands: a run goes on from its last checkpoint, wherever that is, and ends as if nothing had interrupted it. */
describe("a run that resumes", { timeout: 300_000 }, () => {
  const runs = new Resuming();
  const { project } = runs;

  beforeAll(() => runs.start(), 120_000);
  afterEach(() => runs.clean(), 120_000);
  afterAll(() => runs.dispose());

  it("goes on after down and up, on another instance, everything at home is one run, and after its end it begins anew", async () => {
    runs.configure("gone");
    await runs.begin("gone");
    await project.succeeds("down", ["--keep-cloud"]);
    const best = runs.home("gone", "checkpoints/best_model.pt");
    const written = Math.floor(statSync(best).mtimeMs / 1000);
    const output = await project.succeeds("up");
    expect(output).toMatch(/gone goes on as attempt 2: put back \d+ files, \S+ MB from \S+results\/test\/gone/);
    expect(await project.succeeds("logs", ["--no-follow"])).toMatch(
      /attempt 2, started \S+, resumes by itself, newest checkpoint \S+last\.json: /,
    );
    expect(await runs.run()).toMatchObject({ attempt: 2 });
    expect(await project.succeeds("status")).toMatch(/^resumed +from \S+\/outputs\/gone\/checkpoints\/last\.json$/m);
    await runs.finish("gone");
    runs.expectWhole("gone", [0, heldAt]);
    expect(Math.floor(statSync(best).mtimeMs / 1000)).toBeGreaterThan(written);
    expect(readdirSync(runs.home("")).filter((name) => name.startsWith("gone"))).toEqual(["gone"]);
    expect((await project.succeeds("experiments")).match(/^test +gone\b.*$/gm)).toEqual([
      expect.stringMatching(/ finished +step 40 /),
    ]);
    expect(await project.succeeds("up")).toMatch(/Nothing is resumed from \S+: gone had finished\. gone begins anew/);
  });

  it("goes on after its process was killed, from the checkpoint on the machine, by a command of its own", async () => {
    const command = "make train CONFIG={config} EXPERIMENT={experiment}";
    runs.configure("killed", {
      train: { resume: `echo from {checkpoint}; ${command}`, checkpoint: "checkpoints/last*" },
    });
    await runs.begin("killed");
    await runs.kill("killed");
    expect((await project.run("status")).output).toMatch(
      /^resumes +from \S+\/outputs\/killed\/checkpoints\/last\.json$/m,
    );
    const output = await project.succeeds("up", ["--refresh"]);
    expect(output).not.toContain("put back");
    expect(await project.succeeds("logs", ["--no-follow"])).toMatch(/^from outputs\/killed\/checkpoints\/last\.json$/m);
    await runs.finish("killed");
    runs.expectWhole("killed", [0, savedAt]);
  });

  it("goes on after its instance was lost, on another type, from what watch had downloaded", async () => {
    runs.configure("lost", { checkpoints: { sync: "home", everyMinutes: 0.01 } });
    await runs.begin("lost");
    expect((await project.run("watch")).output).toMatch(/Downloaded a new checkpoint: \d+ files/);
    await runs.lose();
    expect((await project.run("status")).output).toMatch(/^next +npm run up.* launches another and resumes/m);
    runs.configure("lost", { stack: { instanceTypes: ["gpu_1x_a10"] } });
    expect(await project.succeeds("up")).toContain("lost goes on as attempt 2");
    await runs.finish("lost");
    runs.expectWhole("lost", [0, savedAt]);
  });

  inFleetSuite(() => {
    it("goes on as a command of its own says after down and up, on changed code, and what was home is kept", async () => {
      const command = "make train CONFIG={config} EXPERIMENT={experiment}";
      runs.configure("changed", {
        train: { resume: `echo from {checkpoint}; ${command}`, checkpoint: "checkpoints/last*" },
      });
      await runs.begin("changed");
      await project.succeeds("down", ["--keep-cloud"]);
      project.write("tiny/NOTES", "other code\n");
      await project.succeeds("up");
      expect(await project.succeeds("logs", ["--no-follow"])).toMatch(
        /^from outputs\/changed\/checkpoints\/last\.json$/m,
      );
      await runs.finish("changed");
      runs.expectWhole("changed", [0, heldAt]);
      // Of other code, that is another source.
      const kept = readdirSync(runs.home("")).filter((name) => name.startsWith("changed."));
      expect(kept).toHaveLength(1);
      expect(runs.saved(kept[0] ?? "")).toMatchObject({ step: heldAt, started_at: [0] });
    });

    it("begins anew after it had finished, or with other settings, and says so", async () => {
      const overrides = { steps: 12 };
      runs.configure("ended", { overrides });
      await project.succeeds("up");
      await runs.finish("ended");
      expect(await project.succeeds("up")).toMatch(
        /Nothing is resumed from \S+: ended had finished\. ended begins anew/,
      );
      await runs.finish("ended");
      expect(runs.saved("ended").started_at).toEqual([0]);
      runs.configure("ended", { overrides: { steps: 13 } });
      expect(await project.succeeds("up")).toMatch(/Nothing is resumed from \S+: they are of other settings/);
      await runs.finish("ended");
      expect(runs.saved("ended")).toMatchObject({ step: 13, started_at: [0] });
    });
  });
});
