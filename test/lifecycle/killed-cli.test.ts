import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Project } from "../support/project";

/** What a CLI leaves in the file backend when it is killed while it writes there. */
describe("a file backend after a kill", { timeout: 60_000 }, () => {
  const project = new Project();
  const backend = join(project.folder, ".local", "state", ".pulumi");
  const locks = join(backend, "locks", "organization", "lambda-train", "test");
  const state = join(backend, "stacks", "lambda-train", "test.json");
  let ended: number;

  beforeAll(async () => {
    project.configure();
    await project.init();
    const child = spawn("true");
    await once(child, "exit");
    ended = child.pid ?? 0;
  });
  afterAll(() => project.dispose());

  const lock = (pid: number): void =>
    project.write(
      `.local/state/.pulumi/locks/organization/lambda-train/test/${pid}.json`,
      JSON.stringify({ pid, hostname: hostname(), username: "root", timestamp: new Date().toISOString() }),
    );
  const down = (): ReturnType<Project["run"]> => project.run("down", ["--keep-cloud"]);

  it("is mended where the attributes of the state were cut short", async () => {
    lock(ended);
    writeFileSync(`${state}.attrs`, "");
    expect((await project.pulumi(["stack", "export"])).output).toContain("failed to load checkpoint: EOF");
    const { code, output } = await down();
    expect(code, output).toBe(0);
    expect(output).toContain(`was killed (process ${ended}). Removed its lock`);
  });

  it("is mended where the lock itself was being written", async () => {
    project.write(".local/state/.pulumi/locks/organization/lambda-train/test/a.json.1764.tmp", "");
    project.write(".local/state/.pulumi/locks/organization/lambda-train/test/a.json.attrs", "");
    writeFileSync(`${state}.1764.tmp`, "{");
    expect((await project.pulumi(["destroy", "--yes"])).code).not.toBe(0);
    const { code, output } = await down();
    expect(code, output).toBe(0);
    expect(existsSync(locks) ? readdirSync(locks) : []).toEqual([]);
    expect(existsSync(`${state}.1764.tmp`)).toBe(false);
  });

  it("is left as it is where the process that holds the lock lives", async () => {
    const cli = spawn("pulumi", ["whoami"], { argv0: "pulumi", env: project.env });
    cli.kill("SIGSTOP");
    try {
      lock(cli.pid ?? 0);
      const { code, output } = await down();
      expect(code).not.toBe(0);
      expect(output).toContain("currently locked");
      expect(readdirSync(locks)).toEqual([`${cli.pid}.json`]);
    } finally {
      cli.kill("SIGKILL");
    }
  });

  it("is mended where the number of the process that held the lock is another's by now", async () => {
    lock(process.pid);
    const { code, output } = await down();
    expect(code, output).toBe(0);
    expect(output).toContain("Removed its lock");
    expect(existsSync(locks) ? readdirSync(locks) : []).toEqual([]);
  });
});
