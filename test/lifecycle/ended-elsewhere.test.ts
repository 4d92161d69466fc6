import { renameSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** What commands say and do that find another world than the one they left. Each test goes on from the one before. */
describe("an instance that was ended elsewhere, a destroy that was interrupted", { timeout: 120_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
    await project.succeeds("up");
  });
  afterAll(() => project.dispose());

  it("watch --every goes on where the state cannot be read for a moment", async () => {
    project.write(
      "bin/pulumi",
      '#!/bin/bash\n[ "$1 $2" = "stack export" ] && { echo the backend is away >&2; exit 1; }\nPATH=$REST exec pulumi "$@"\n',
      0o755,
    );
    // Without its file the CLI is asked for the state.
    const state = join(project.folder, ".local/state/.pulumi/stacks/lambda-train/test.json");
    renameSync(state, `${state}.away`);
    const env = { PATH: `${join(project.folder, "bin")}:${project.env.PATH}`, REST: project.env.PATH };
    const { child, ended } = project.start(process.execPath, ["dist/cli/watch.js", "--every", "1"], env);
    let said = "";
    child.stderr?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await expect.poll(() => said, { timeout: 20_000 }).toContain("the backend is away\nTrying again in 1 min.");
    child.kill("SIGTERM");
    await ended;
    expect(await project.run("watch", [], env)).toMatchObject({ code: 1 });
    renameSync(`${state}.away`, state);
  });

  it("is told as gone, costs nothing more, and the next up rents another", async () => {
    const [first = ""] = (await cloud.inventory()).instances;
    await cloud.admin.terminate(first);
    const status = await project.run("status");
    expect(status.output).toMatch(/^cost +nothing more/m);
    expect(status.output).toMatch(/^next +npm run up.* launches another/m);
    expect(JSON.parse((await project.run("status", ["--json"])).output)).toMatchObject({ cost: null });
    expect(JSON.parse(await project.succeeds("costs", ["--json"]))).toMatchObject({ running: null });
    const watched = await project.run("watch");
    expect(watched).toMatchObject({ code: 11, output: expect.stringContaining("no longer billed") });
    expect(watched.output).not.toContain("$");
    expect(await project.succeeds("up")).toContain(`Instance ${first} is gone`);
    const { instances } = await cloud.inventory();
    expect(instances).toHaveLength(1);
    expect(instances).not.toContain(first);
  });

  it("is told soon where it is lost while setup runs, and dialled no longer than that", async () => {
    await project.succeeds("down", ["--keep-cloud", "--yes"]);
    const setup = project.read("tiny/scripts/lambda_setup.sh");
    project.write("tiny/scripts/lambda_setup.sh", `${setup}\nsleep 60\n`, 0o755);
    const { child, ended } = project.start(process.execPath, ["dist/cli/up.js"]);
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    await expect.poll(() => said, { timeout: 60_000 }).toMatch(/environment-setup .*setup: started/);
    const [id = ""] = (await cloud.inventory()).instances;
    await cloud.admin.terminate(id);
    const lostAt = Date.now();
    const { code, output } = await ended;
    expect(code, output).not.toBe(0);
    expect(output).toContain(`Instance ${id} is gone`);
    expect(Date.now() - lostAt).toBeLessThan(45_000);
    project.write("tiny/scripts/lambda_setup.sh", setup, 0o755);
    await project.succeeds("up");
  });

  it("a destroy that is interrupted has not ended well, whatever options it was given", async () => {
    const { child, ended } = project.start(process.execPath, ["dist/cli/down.js", "--keep-cloud", "--yes"]);
    let said = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      said += chunk.toString();
    });
    const deadline = Date.now() + 60_000;
    while (!/results-guard deleting/.test(said) && Date.now() < deadline) await sleep(50);
    child.kill("SIGINT");
    const { code, output } = await ended;
    expect(code, output).not.toBe(0);
    expect(output).toContain("still exist, although Pulumi reported success above");
    await project.succeeds("down", ["--keep-cloud", "--yes"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
