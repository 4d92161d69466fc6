import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { appendFileSync, createReadStream, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TestCloud } from "../support/cloud";
import { serveFile } from "../support/file-server";
import { mathwritingFiles, writeMathwriting } from "../support/mathwriting";
import { Project } from "../support/project";
import { MemoryWatch } from "./memory";

/** A part of the sizes, in the default run of tests: `npm run test:scale` takes them whole. */
const divisor = Number(process.env.SCALE_DIVISOR ?? 100);
/** Most resident memory of one process, in MB. */
const mostMemory = 300;
const inks = Object.values(mathwritingFiles).reduce((sum, files) => sum + Math.floor(files / divisor), 0);
const resultFiles = Math.floor(200_000 / divisor);
const resultBytes = Math.floor(9e9 / divisor);

const experiment = (command: string, dataset: string): string => `experiment: large
workload: { source: large }
${dataset}
environment: { setup: null, manager: none }
gate: { gpu: optional, minDiskGiB: 0, modules: [] }
train: { command: ${command}, config: null, waitFor: end, firstStepTimeoutMinutes: 60 }
evaluate: null
dashboard: null
`;

const count = `import os
print("step 1 loss 1", sum(len(files) for _, _, files in os.walk("data")), "files", flush=True)
os.makedirs("outputs/large", exist_ok=True)
open("outputs/large/model.bin", "w").write("done")
`;

const write = `import hashlib, os
for folder in range(200):
    os.makedirs(f"outputs/large/predictions/{folder:03d}")
for number in range(${resultFiles}):
    with open(f"outputs/large/predictions/{number % 200:03d}/{number}.json", "w") as file:
        file.write('{"number": %d}' % number)
print("step 1 loss 1", flush=True)
block, digest, left = os.urandom(1 << 20), hashlib.sha256(), ${resultBytes}
with open("outputs/large/weights.bin", "wb") as file:
    while left > 0:
        part = (left.to_bytes(8, "big") + block[8:])[:left]
        file.write(part); digest.update(part); left -= len(part)
open("outputs/large/weights.sha256", "w").write(digest.hexdigest())
`;

describe("data and results of their own size", { timeout: 90 * 60_000 }, () => {
  let project: Project;
  let memory: MemoryWatch;
  let cloud: TestCloud;

  beforeEach(async () => {
    project = new Project();
    memory = new MemoryWatch(join(project.folder, ".local"));
    project.configure({ experiment: "configs/large.yaml" });
    await project.init();
    cloud = await TestCloud.start(project);
  });
  afterEach(async () => {
    memory.stop();
    await project.dispose();
  });

  /** Runs a command, tells how long it took, and gives what it said. */
  const timed = async (what: string, command: string): Promise<string> => {
    const began = Date.now();
    const said = await project.succeeds(command);
    console.log(`  ${what}: ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return said;
  };

  const expectLittleMemory = (): void => {
    memory.stop();
    for (const [kind, peak] of memory.peaks) console.log(`  ${kind}: ${peak.toFixed(0)} MB at most`);
    expect([...memory.peaks.keys()]).toEqual(expect.arrayContaining(["program", "agent on the instance"]));
    for (const [kind, peak] of memory.peaks) expect(peak, kind).toBeLessThan(mostMemory);
  };

  it(`a dataset of ${inks} files, as an archive that the instance fetches`, async () => {
    const archive = join(project.folder, "mathwriting-2024.tgz");
    writeMathwriting(archive, divisor);
    const server = await serveFile(archive);
    await cloud.letReach(server.url);
    try {
      project.write("large/train.py", count);
      project.write("configs/large.yaml", experiment("python3 train.py", `dataset: { source: "${server.url}" }`));
      expect(await timed("up", "up")).toContain(`step 1 loss 1 ${inks + 1} files`);
      await timed("up that changes nothing", "up");
      await timed("down", "down");
    } finally {
      await server.close();
    }
    expectLittleMemory();
  });

  it(`a dataset of ${inks} files, as a folder, and one of them changed`, async () => {
    const archive = join(project.folder, "mathwriting-2024.tgz");
    writeMathwriting(archive, divisor);
    execFileSync("tar", ["-xzf", archive, "-C", project.folder]);
    rmSync(archive);
    project.write("large/train.py", count);
    project.write("configs/large.yaml", experiment("python3 train.py", "dataset: { source: mathwriting-2024 }"));
    expect(await timed("up", "up")).toContain(`step 1 loss 1 ${inks + 1} files`);
    await timed("up that changes nothing", "up");
    const valid = join(project.folder, "mathwriting-2024/valid");
    appendFileSync(join(valid, readdirSync(valid)[0] ?? ""), "<!-- changed -->\n");
    expect(await timed("up with one file changed", "up")).toContain("large/data: sent 1 files");
    await timed("down", "down");
    expectLittleMemory();
  });

  it(`results of ${resultFiles} files and one of ${(resultBytes / 1e9).toFixed(2)} GB`, async () => {
    project.write("large/train.py", write);
    project.write("configs/large.yaml", experiment("python3 train.py", ""));
    await timed("up", "up");
    await timed("down", "down");
    const home = join(project.folder, "results/test/large");
    const files = readdirSync(join(home, "predictions"), { recursive: true, withFileTypes: true });
    expect(files.filter((entry) => entry.isFile())).toHaveLength(resultFiles);
    const digest = createHash("sha256");
    await pipeline(createReadStream(join(home, "weights.bin")), digest);
    expect(digest.digest("hex")).toBe(project.read("results/test/large/weights.sha256"));
    expectLittleMemory();
  });
});
