import {
  chmodSync,
  existsSync,
  globSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project } from "../support/project";
import { configureTiny, startTinyStack, type TinyChanges } from "../support/tiny";

/** What lies on a file system for all machines, through the real CLI; each test goes on from the one before. */
describe("dataset and environment in the file system's cache", { timeout: 240_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  const changes = (more: TinyChanges = {}): TinyChanges => ({
    dataset: { source: "tiny-data", cache: "fileSystem" },
    environment: { setup: null, manager: "venv", cache: "fileSystem" },
    train: { waitFor: "end" },
    ...more,
    stack: { fileSystem: "sets", regions: undefined, ...more.stack },
  });
  /** The file systems' folder of datasets, as this machine sees it. */
  const datasets = (): string => {
    const [found] = globSync(join(project.folder, ".local/**/filesystems/*/lambda-train/datasets"));
    if (found === undefined) throw new Error("There is no cache.");
    return found;
  };
  const whole = (): string[] => readdirSync(datasets()).filter((name) => !name.startsWith("."));
  const onInstance = async (command: string): Promise<string> => (await project.run("ssh", [command])).output;
  const environment = (): Promise<string> => onInstance("cat .lambda-train/steps/setup/log");
  /** A file of the only dataset in the cache. */
  const cached = (path: string): string => join(datasets(), whole()[0] ?? "", path);

  beforeAll(async () => {
    project.write("tiny/requirements.txt", "pyyaml\n");
    cloud = await startTinyStack(project, changes());
  });
  afterAll(() => project.dispose());

  it("needs a file system, and a place to make it", async () => {
    expect(await project.fails("up")).toMatch(/lambda-train:fileSystem is "sets": it does not exist\. .*has: none/);
    configureTiny(project, changes({ stack: { createFileSystem: true } }));
    expect(await project.fails("up")).toMatch(
      /lambda-train:regions is not set: the file system sets doesn't exist yet/,
    );
    configureTiny(project, changes({ stack: { fileSystem: undefined, regions: ["us-east-1"] } }));
    expect(await project.fails("up")).toMatch(/dataset\.cache is "fileSystem": the stack has no file system/);
    configureTiny(project, changes({ environment: { cache: "fileSystem" } }));
    expect(await project.fails("up")).toMatch(
      /environment\.cache is "fileSystem": the setup command \(\.\/scripts\/lambda_setup\.sh\) writes where it wants/,
    );
    expect(await cloud.inventory()).toEqual(nothing);
  });

  it("is filled by the first up, and read by the workload through a link", async () => {
    configureTiny(project, changes({ stack: { createFileSystem: true, regions: ["us-west-1"] } }));
    const output = await project.succeeds("up");
    expect(output).toMatch(/datasets\/[0-9a-f]{64}: sent 3 files/);
    const [key] = whole();
    expect(await onInstance("readlink tiny/data; ls tiny/data/train")).toBe(
      `/lambda/nfs/sets/lambda-train/datasets/${key}\na b.jsonl\n`,
    );
    expect(await environment()).toMatch(
      /goes into the cache \/lambda\/nfs\/sets\/lambda-train\/environments\/[0-9a-f]{64}$/m,
    );
    expect(await onInstance("echo x >> tiny/data/valid/x.jsonl")).toContain("Permission denied");
    expect((await project.outputs()).runStatus).toBe("finished");
    const verify = (await project.resources()).find(({ urn }) => urn.endsWith("::gate-verify"));
    expect(String(verify?.outputs?.stdout)).toMatch(/ok cache: 3 files/);
  });

  it("costs rent, which status and costs tell, with and without an instance", async () => {
    // As with Lambda, the size is that of some time ago.
    await project.run("status");
    await sleep(2_500);
    await project.run("status");
    const { fileSystem } = JSON.parse(await project.succeeds("status", ["--json"]));
    expect(fileSystem).toMatchObject({ name: "sets", region: "us-west-1" });
    expect(fileSystem.bytesUsed).toBeGreaterThan(100);
    expect(fileSystem.dollarsPerMonth).toBeCloseTo((fileSystem.bytesUsed * 0.2) / 1e9, 12);
    expect(await project.succeeds("status")).toMatch(
      /file system +sets in us-west-1 {2}0\.00 GB used, less than \$0\.01 per month \(\$0\.20 per GB and month\), with or/,
    );
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual({ ...nothing, fileSystems: ["sets"] });
    expect(await project.succeeds("costs")).toMatch(
      /^storage +0\.00 GB used, .*: file system sets in us-west-1, with or without/m,
    );
  });

  it("is used by the next instance without an upload, in the file system's region", async () => {
    configureTiny(project, changes());
    const preview = await project.succeeds("up", ["--preview-only"]);
    expect(preview).toMatch(/Launching cpu_4x_general in us-west-1/);
    expect(preview).toMatch(/File system sets: 0\.00 GB used, less than \$0\.01 per month/);
    const output = await project.succeeds("up");
    expect(output).toMatch(/already in the cache, nothing was sent/);
    expect(await environment()).toMatch(
      /is in the cache \/lambda\/nfs\/sets\/lambda-train\/environments\/[0-9a-f]{64}$/m,
    );
    expect(await onInstance("grep -o 'VIRTUAL_ENV=[^ ]*environments' .lambda-train/env.sh")).toBe(
      "VIRTUAL_ENV='/lambda/nfs/sets/lambda-train/environments\n",
    );
    expect((await project.outputs()).region).toBe("us-west-1");
    expect((await project.outputs()).runStatus).toBe("finished");
  });

  it("refuses another region, before anything is launched", async () => {
    const other = await project.besides("elsewhere");
    project.write(
      "Pulumi.elsewhere.yaml",
      `${project.read("Pulumi.elsewhere.yaml")}  lambda-train:regions: [us-east-1]\n`,
    );
    const { instances } = await cloud.inventory();
    const preview = await project.fails("up", ["--preview-only"], other);
    expect(preview).toMatch(
      /but the file system sets is in us-west-1, and can only be attached there\. Nothing was launched/,
    );
    expect(await project.fails("up", [], other)).toMatch(/File system sets is in us-west-1, not in us-east-1/);
    expect((await cloud.inventory()).instances).toEqual(instances);
    await project.succeeds("down", ["--keep-cloud"], other);
  });

  it("is mended where files are missing or changed, also where only the content tells", async () => {
    const right = readFileSync(cached("train/a b.jsonl"), "utf8");
    const rotten = cached("train/a b.jsonl");
    const { atime, mtime } = statSync(rotten);
    chmodSync(rotten, 0o644);
    writeFileSync(rotten, right.replace("[1,", "[7,"));
    utimesSync(rotten, atime, mtime);
    rmSync(cached("valid/x.jsonl"));
    const second = await project.besides("second");
    // The checksums are due again.
    rmSync(join(datasets(), `.${whole()[0]}`, "checked"));
    const output = await project.succeeds("up", [], second);
    expect(output).toMatch(/2 files in the cache are damaged or missing: they are sent again/);
    expect(output).toMatch(/: sent 2 files/);
    expect(readFileSync(cached("train/a b.jsonl"), "utf8")).toBe(right);
    expect(existsSync(cached("valid/x.jsonl"))).toBe(true);
    await project.succeeds("down", ["--keep-cloud"], second);
  });

  it("that was damaged since its upload is told with what mends it", async () => {
    rmSync(cached("valid/x.jsonl"));
    configureTiny(
      project,
      changes({ dataset: { source: "tiny-data", cache: "fileSystem", splits: ["train", "valid"] } }),
    );
    const failed = await project.fails("up");
    expect(failed).toMatch(
      /is not whole: 1 of its files are missing or changed\. .*`npm run up -- --replace '\*\*dataset-upload'`/,
    );
    expect(await project.succeeds("up", ["--replace", "**dataset-upload"])).toMatch(/: sent 1 files/);
    expect(existsSync(cached("valid/x.jsonl"))).toBe(true);
  });

  it("is not deleted while another stack uses it, and only by its name", async () => {
    const second = await project.besides("third");
    await project.succeeds("up", [], second);
    expect(await project.fails("down", ["--delete-file-system", "sets"])).toMatch(
      /Other instances use file system sets: lambda-train-third-/,
    );
    expect(await project.fails("down", ["--delete-file-system", "set"])).toMatch(
      /set isn't the file system of stack test, but sets/,
    );
    expect((await cloud.inventory()).instances).toHaveLength(2);
    await project.succeeds("down", ["--keep-cloud"], second);
    expect(await project.succeeds("down", ["--keep-cloud", "--delete-file-system", "sets"])).toContain(
      "File system sets is deleted",
    );
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
