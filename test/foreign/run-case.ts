import { execFileSync } from "node:child_process";
import { cpSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { stringify } from "yaml";
import { guestUser } from "../../emulator/sandbox/bwrap";
import { verifyResults } from "../../remote/transfer/download";
import { nothing, TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { experimentOf, type ForeignCase } from "./case";
import { Disk, filesBelow } from "./files";
import { writtenBy } from "./written";

const fixtures = join(__dirname, "../fixtures/foreign");

/** What the stack puts among the results of a run without evaluation. */
const ofTheStack = ["manifest.json", "run/train.log"];

/** A user's project with an emulated account, in which one repository is trained after another. */
export class Trainings {
  private constructor(
    readonly project: Project,
    private readonly cloud: TestCloud,
  ) {}

  static async open(): Promise<Trainings> {
    const project = new Project();
    try {
      project.configure();
      await project.init();
      return new Trainings(project, await TestCloud.start(project));
    } catch (error) {
      await project.dispose();
      throw error;
    }
  }

  /** From `up` to `down`. Everything is as the case says, or an error tells what is not. */
  async train(one: ForeignCase): Promise<void> {
    const { project, cloud } = this;
    const repository = join(project.folder, one.name);
    cpSync(join(fixtures, one.name), repository, { recursive: true });
    project.write(`configs/${one.name}.yaml`, stringify(experimentOf(one)));
    project.configure({ experiment: `configs/${one.name}.yaml` });
    await project.succeeds("up");
    const [instanceId = ""] = (await cloud.inventory()).instances;
    await project.succeeds("wait", ["--quiet"]);
    await this.expectStatus(one);

    const disk = new Disk(project, instanceId);
    const written = writtenBy(one, disk, repository);
    if (one.closed !== undefined && process.getuid?.() === 0) await this.expectRefusal(one.closed, disk);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
    await this.expectHome(one, written);
  }

  private async expectStatus({ firstStep, progress }: ForeignCase): Promise<void> {
    const status = JSON.parse(await this.project.succeeds("status", ["--json"]));
    expect.soft(status.run).toMatchObject({ state: "finished", attempt: 1 });
    const line = String(status.run.firstStepLine).trim();
    if (typeof firstStep === "string") expect.soft(line, "first step").toBe(firstStep);
    else expect.soft(line, "first step").toMatch(firstStep);
    expect.soft(status.progress, "progress").toMatchObject(progress);
  }

  /** What only root can read keeps the instance, until its owner has changed that. */
  private async expectRefusal(closed: Readonly<Record<string, string>>, disk: Disk): Promise<void> {
    const give = (owner: number): void => {
      for (const each of Object.keys(closed)) execFileSync("chown", ["-R", `${owner}:${owner}`, disk.at(each)]);
    };
    give(0);
    const said = await this.project.fails("down", ["--keep-cloud"]);
    for (const path of Object.values(closed)) expect(said).toContain(`"${path}"`);
    expect((await this.cloud.inventory()).instances).toHaveLength(1);
    give(guestUser);
  }

  private async expectHome({ name }: ForeignCase, written: ReadonlyMap<string, Buffer>): Promise<void> {
    const home = join(this.project.folder, "results", this.project.stack, name);
    const there = filesBelow(home);
    expect(there).toEqual([...ofTheStack, ...written.keys()].sort());
    const other = [...written].filter(([path, content]) => !readFileSync(join(home, path)).equals(content));
    expect(
      other.map(([path]) => path),
      "other content than on the instance",
    ).toEqual([]);
    expect((await verifyResults(home)).ok).toBe(true);
  }

  async dispose(): Promise<void> {
    await this.project.dispose();
  }
}
