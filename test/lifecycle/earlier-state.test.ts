import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeStateOf010 } from "../support/earlier-state";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** A stack whose state release 0.1.0 wrote, with a run that goes on. */
describe("the state of release 0.1.0", { timeout: 180_000 }, () => {
  const project = new Project();
  const onInstance = (command: string): Promise<string> => project.succeeds("ssh", [command]);
  /** What would show that anything was done again: the processes that train, how often setup and training were begun. */
  const going = (): Promise<string> =>
    onInstance(
      "ps -o pid=,lstart= -p $(pgrep -f [t]rain.py); cat setups starts; grep -o '\"attempt\": [0-9]*' .lambda-train/runs/tiny-v1/state.json",
    );
  const ids = async (): Promise<(string | undefined)[]> =>
    (await project.resources())
      .map(({ id }) => id)
      .filter((id) => id !== undefined)
      .sort();
  const urns = async (): Promise<string> => (await project.resources()).map(({ urn }) => urn).join("\n");
  let before: string;
  let known: (string | undefined)[];

  beforeAll(async () => {
    await startTinyStack(project, { overrides: { steps: 100_000, seconds_per_step: 0.2 } });
    await project.succeeds("up");
    [before, known] = [await going(), await ids()];
  });
  afterAll(() => project.dispose());

  it("is read by the commands as it is", async () => {
    await writeStateOf010(project);
    expect(await urns()).not.toContain("Machine");
    expect(JSON.parse(await project.succeeds("status", ["--json"]))).toMatchObject({
      experiment: "tiny-v1",
      run: { state: "running", attempt: 1 },
    });
    expect(await project.succeeds("results")).toContain("results/test/tiny-v1");
  });

  it("is taken over by up, with nothing replaced and nothing run again", async () => {
    const output = await project.succeeds("up");
    expect(output).not.toMatch(/replac|deleted/);
    expect(output).toContain("already running: attempt 1");
    expect(await going()).toBe(before);
    expect(await ids()).toEqual(known);
    expect(await urns()).toContain("lambda-train:index:Machine$lambda-train:index:Instance");
    const again = await project.succeeds("up");
    expect(again).not.toMatch(/created|replac|updated|deleted/);
  });

  it("is taken over likewise where it keeps no plan in force", async () => {
    await writeStateOf010(project, { standing: false });
    expect(await project.succeeds("up")).not.toMatch(/replac|deleted/);
    expect(await going()).toBe(before);
    expect(await urns()).toContain(":Standing::standing-watch");
  });

  it("is refreshed by its own handlers' names", async () => {
    await writeStateOf010(project);
    const { code, output } = await project.pulumi(["refresh", "--yes"]);
    expect(code, output).toBe(0);
    expect(await going()).toBe(before);
  });

  it("is destroyed as it is, with the results at home", async () => {
    await writeStateOf010(project);
    const output = await project.succeeds("down", ["--keep-cloud"]);
    expect(output).toMatch(/tiny-v1: \d+ files, [\d.]+ MB verified in results\/test\/tiny-v1/);
    expect((await project.resources()).filter(({ id }) => id !== undefined)).toEqual([]);
  });
});
