import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { recordHead } from "../../remote/transfer/results-file";
import { nothing, type TestCloud } from "./cloud";
import { Project } from "./project";
import { configureTiny, startTinyStack, type TinyChanges } from "./tiny";

/** What the tiny workload saves. */
export interface Saved {
  readonly step: number;
  readonly weight: number;
  /** Steps at which its attempts began. */
  readonly started_at: number[];
}

const steps = 40;
/** Here the first attempt of a run waits for whoever interrupts it; it saves every five steps. */
export const heldAt = 17;
/** The last one saved before. */
export const savedAt = 15;

/** Keeps its state in files with numbers, and fails where the newest can't be read. */
const numbered = `
def keep():
    path = out / "checkpoints" / f"step_{state['step']}.pt"
    with zipfile.ZipFile(path.with_suffix(".tmp"), "w") as archive:
        archive.writestr("state", json.dumps(state))
        archive.writestr("padding", "x" * 1000)
    path.with_suffix(".tmp").rename(path)

`;
const loadsNumbered = `
for path in sorted((out / "checkpoints").glob("step_*.pt"), key=lambda path: int(path.stem[5:]))[-1:]:
    state = json.loads(zipfile.ZipFile(path).read("state"))`;

/** Runs of the tiny workload that are interrupted, and end as one that nothing interrupted. */
export class Resuming {
  readonly project = new Project();
  private tests: TestCloud | undefined;
  private uninterrupted: Saved | undefined;

  get cloud(): TestCloud {
    return this.tests ?? expect.fail("The cloud has not been started.");
  }

  /** @param withNumbers Whether the workload resumes from files with numbers, instead of `last.json`. */
  async start(withNumbers = false): Promise<void> {
    const { project } = this;
    this.tests = await startTinyStack(project);
    const hold = `    if state["step"] == ${heldAt} and state["started_at"] == [0] and sys.argv[2] != "whole":\n        time.sleep(600)\n`;
    const changed = project
      .read("tiny/train.py")
      // Every step counts to the last digit.
      .replace("0.02 * gradient", "0.0005 * gradient")
      .replace('    if state["step"] == config["fail_at"]', (line) => `${hold}${line}`);
    const apart = changed
      .replace("import json\n", "import json\nimport zipfile\n")
      .replace(/^state = json.loads.*$/m, (line) => `${line.replace("last.exists()", "False")}${loadsNumbered}`)
      .replace('        save("last.json")\n        save("best', '        keep()\n        save("best')
      .replace("\ndef stop(", `${numbered}\ndef stop(`);
    project.write("tiny/train.py", withNumbers ? apart : changed);
    this.configure("whole");
    await project.succeeds("up");
    await this.finish("whole");
    this.uninterrupted = this.saved("whole");
  }

  /** After each test, also one that failed. A file system outlives its stack. */
  async clean(): Promise<void> {
    if ((await this.cloud.inventory()).sshKeys.length > 0)
      await this.project.succeeds("down", ["--keep-cloud", "--lose-results"]);
    expect({ ...(await this.cloud.inventory()), fileSystems: [] }).toEqual(nothing);
  }

  configure(experiment: string, changes: TinyChanges = {}): void {
    configureTiny(this.project, {
      experiment,
      ...changes,
      train: { resume: "auto", ...changes.train },
      overrides: { seconds_per_step: 0.05, steps, ...changes.overrides },
    });
  }

  /** A path among its results at home. */
  home(experiment: string, path = ""): string {
    return join(this.project.folder, "results/test", experiment, path);
  }

  saved(experiment: string): Saved {
    return JSON.parse(readFileSync(this.home(experiment, "checkpoints/last.json"), "utf8")) as Saved;
  }

  async onInstance(command: string): Promise<string> {
    return (await this.project.run("ssh", [command])).output;
  }

  async run(): Promise<Record<string, unknown>> {
    const { output } = await this.project.run("status", ["--json"]);
    return (JSON.parse(output) as { run: Record<string, unknown> }).run;
  }

  /** Starts a run and waits until its training waits. */
  async begin(experiment: string): Promise<void> {
    await this.project.succeeds("up");
    const log = `tail -n 5 .lambda-train/runs/${experiment}/train.log`;
    await expect.poll(() => this.onInstance(log), { timeout: 60_000, interval: 300 }).toContain(`step ${heldAt} loss`);
  }

  /** Kills the training process alone, and waits until that is known. */
  async kill(experiment: string): Promise<void> {
    await this.onInstance(`pkill -9 -f '[t]rain.py .* ${experiment}'`);
    await expect.poll(() => this.run(), { timeout: 30_000 }).toMatchObject({ state: "failed" });
  }

  /** Ends the instance behind everybody's back. */
  async lose(): Promise<void> {
    const [id = ""] = (await this.cloud.inventory()).instances;
    await this.cloud.admin.terminate(id);
  }

  /** Lets the run end, and brings it home. */
  async finish(experiment: string): Promise<void> {
    await this.project.succeeds("wait", ["--quiet"]);
    await this.project.succeeds("down", ["--keep-cloud"]);
    expect((await verifyResults(this.home(experiment))).ok).toBe(true);
  }

  /** That it ended as one that nothing interrupted, having begun at these steps; log and attempts are those of one run. */
  expectWhole(experiment: string, begun: readonly number[]): void {
    const { step, weight, started_at: startedAt } = this.saved(experiment);
    expect({ step, weight }).toEqual({ step: this.uninterrupted?.step, weight: this.uninterrupted?.weight });
    expect(startedAt).toEqual(begun);
    const metrics = (name: string): string => readFileSync(this.home(name, "metrics/evaluation.json"), "utf8");
    expect(metrics(experiment)).toBe(metrics("whole"));
    const log = readFileSync(this.home(experiment, "run/train.log"), "utf8");
    for (let each = 1; each <= steps; each++) expect(log).toContain(`step ${each} loss`);
    const attempts = recordHead(this.home(experiment))?.run?.attempts.map(({ number }) => number);
    expect(attempts).toEqual(begun.map((_, at) => at + 1));
  }

  dispose(): Promise<void> {
    return this.project.dispose();
  }
}
