import { chmodSync, cpSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { nothing, type TestCloud } from "../support/cloud";
import { Project, type StateResource } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** One stack, handled as somebody does who knows Pulumi and nothing of this project. */
describe("a user of Pulumi", { timeout: 180_000 }, () => {
  const project = new Project();
  let cloud: TestCloud;
  let projectFile: string;
  const configure = (changes: object = {}): void => project.configure({ experiment: "configs/tiny.yaml", ...changes });
  /** What a diff would show. */
  const inputs = async (): Promise<Record<string, unknown>> => {
    const { output } = await project.pulumi(["stack", "export", "--show-secrets"]);
    const all: StateResource[] = JSON.parse(output).deployment.resources;
    const custom = all.filter(({ id, type }) => id !== undefined && !type.startsWith("pulumi:providers:"));
    return Object.fromEntries(custom.map(({ urn, id, inputs }) => [urn, { id, inputs }]));
  };

  beforeAll(async () => {
    cloud = await startTinyStack(project, { overrides: { steps: 100_000 } });
    project.write("configs/tiny.yaml", `${project.read("configs/tiny.yaml")}dashboard: null\n`);
    projectFile = project.read("Pulumi.yaml");
  }, 120_000);
  afterAll(() => project.dispose());

  it("sees no warning of a workload without a dashboard", async () => {
    // As it was before Pulumi.yaml had defaults.
    project.write("Pulumi.yaml", projectFile.replace(/^config:[\s\S]*/m, ""));
    const output = await project.succeeds("up");
    expect(output).not.toMatch(/warning/i);
    expect(output).not.toContain("dashboardUrl");
  });

  it("sees the defaults of Pulumi.yaml, which change no stack that is there", async () => {
    const before = await inputs();
    project.write("Pulumi.yaml", projectFile);
    expect((await project.pulumi(["config"])).output).toMatch(/capacityTimeoutMinutes +60/);
    const output = await project.succeeds("up");
    expect(output).not.toMatch(/created|replaced|updated|deleted/);
    expect(Object.keys(before).length).toBeGreaterThan(10);
    expect(await inputs()).toEqual(before);
  });

  it("is told of adopt where an import is tried", async () => {
    const type = "pulumi-nodejs:dynamic/lambda-train:Instance";
    const { code, output } = await project.pulumi(["import", type, "mine", "0123456789abcdef", "--yes"]);
    expect(code).not.toBe(0);
    expect(output).toContain("`npm run adopt` finds a backup of it");
    expect(output).not.toContain("must be a string");
  });

  it("is told by doctor where the states are, and who works on which", async () => {
    const { backend } = JSON.parse((await project.run("doctor", ["--json"])).output);
    expect(backend).toMatchObject({ url: project.env.PULUMI_BACKEND_URL, user: expect.any(String) });
    expect(backend.stacks).toMatchObject([{ name: "test", selected: true, updated: expect.any(String) }]);
    expect(backend.stacks[0]).not.toHaveProperty("lock");
    const lock = { pid: 2 ** 22 + 1, username: "ann", hostname: "elsewhere", timestamp: "2026-01-31T10:15:00Z" };
    project.write(".local/state/.pulumi/locks/organization/lambda-train/test/1.json", JSON.stringify(lock));
    const { output } = await project.run("doctor");
    expect(output).toContain(`States are at ${project.env.PULUMI_BACKEND_URL}`);
    expect(output).toMatch(/test \(selected\) .*locked by ann on elsewhere, process 4194305, since 2026-01-31/);
    await project.pulumi(["cancel", "--yes"]);
  });

  it("reads another file by --config-file, and environments of Pulumi ESC as Pulumi tells them", async () => {
    const notify = { notify: [{ command: "apprise -b x", events: ["failed"] }] };
    const own = project.read("Pulumi.test.yaml");
    configure(notify);
    project.write("other.yaml", project.read("Pulumi.test.yaml"));
    project.write("Pulumi.test.yaml", own);
    expect((await project.run("notify")).output).toContain("notifies nobody");
    expect(await project.succeeds("notify", ["--config-file", "other.yaml"])).toBe("command 1 (apprise): failed\n");
    expect(await project.run("notify", ["--config-file", "none.yaml"])).toMatchObject({
      code: 2,
      output: expect.stringContaining(`There is no file ${join(project.folder, "none.yaml")}`),
    });

    project.write("Pulumi.test.yaml", `environment: [shared]\n${own}`);
    // The backend of a folder has no environments. The commands say what the real CLI says of that.
    expect(await project.fails("notify")).toMatch(/environments of Pulumi ESC, which can't be opened: .*Pulumi Cloud/);
    const bin = join(project.folder, ".local/bin");
    mkdirSync(bin, { recursive: true });
    const shown = { "lambda-train:notify": { value: JSON.stringify(notify.notify), objectValue: notify.notify } };
    project.write(".local/bin/pulumi", `#!/bin/sh\ncat <<'END'\n${JSON.stringify(shown)}\nEND\n`);
    chmodSync(join(bin, "pulumi"), 0o755);
    const path = { PATH: `${bin}${delimiter}${project.env.PATH}` };
    expect(await project.succeeds("notify", [], path)).toBe("command 1 (apprise): failed\n");
    project.write("Pulumi.test.yaml", own);
  });

  it("is told file and line where a stack's file is broken", async () => {
    const own = project.read("Pulumi.test.yaml");
    project.write("Pulumi.test.yaml", own.replace("config:\n", "config:\n  lambda-train:budgetDollars: 5: 6\n"));
    const line = own.split("\n").indexOf("config:") + 2;
    const named = `The stack's file ${join(project.folder, "Pulumi.test.yaml")} is no valid YAML, line ${line}, column`;
    for (const command of ["up", "down"])
      expect(await project.run(command)).toMatchObject({ code: 2, output: expect.stringContaining(named) });
    project.write("Pulumi.test.yaml", own);
  });

  it("has secrets in clear refused in the file that the CLI reads, however that is named", async () => {
    const own = project.read("Pulumi.test.yaml");
    const path = "lambda-train:secrets.A_TOKEN";
    await project.pulumi(["config", "set", "--secret", "--path", path, "a-token-of-the-stack"]);
    const encrypted = project.read("Pulumi.test.yaml");
    project.write("elsewhere/other.yaml", encrypted.replace(/^( +)A_TOKEN:/m, "$1A_TOKEN: in-clear\n$1B_TOKEN:"));
    project.write("elsewhere/none.yaml", encrypted);
    const refused = `${path} is "plain text"`;
    const preview = async (file: string, env: NodeJS.ProcessEnv = {}, folder = "."): Promise<string> => {
      const option = file === "" ? [] : [`--config-file=${file}`];
      return (await project.pulumi(["--cwd", folder, "preview", ...option], env)).output;
    };
    // A relative path counts from where the CLI runs.
    expect(await preview("other.yaml", {}, "elsewhere")).toContain(refused);
    expect(await preview("", { PULUMI_OPTION_CONFIG_FILE: "elsewhere/other.yaml" })).toContain(refused);
    // The stack's own file isn't read then.
    project.write("Pulumi.test.yaml", project.read("elsewhere/other.yaml"));
    expect(await preview("elsewhere/none.yaml")).not.toContain("plain text");
    project.write("Pulumi.test.yaml", own);
  });

  it("may use the example of a policy pack", async () => {
    // The language host of a current Pulumi starts a pack by itself. For the one that the project builds, Pulumi's starter of
    // before does, under a name that is no language's.
    const bin = join(project.folder, ".local/starter");
    mkdirSync(bin, { recursive: true });
    const runner = `"$(node -p "require.resolve('@pulumi/pulumi/cmd/run-policy-pack')")"`;
    project.write(".local/starter/pulumi-analyzer-policy-starter", `#!/bin/sh\nexec node ${runner} "$@"\n`, 0o755);
    const manifest = "examples/policy/PulumiPolicy.yaml";
    project.write(manifest, project.read(manifest).replace("nodejs", "starter"));
    const preview = async (budgetDollars?: number): Promise<string> => {
      configure({ budgetDollars });
      const args = ["preview", "--policy-pack", "examples/policy"];
      const { code, output } = await project.pulumi(args, { PATH: `${bin}${delimiter}${project.env.PATH}` });
      return `${code === 0 ? "allowed" : "refused"}\n${output}`;
    };
    expect(await preview()).toMatch(/^refused[\s\S]*The stack has no budget\. Set it:/);
    expect(await preview(501)).toMatch(/^refused[\s\S]*The budget of \$501 is above \$500/);
    expect(await preview(20)).toMatch(/^allowed/);
    configure();
  });

  it("is served by a plain pulumi that builds what is older than the sources", async () => {
    const plain = { LAMBDA_TRAIN_BUILT: undefined };
    const file = "components/kit/outputs.ts";
    // What bundles the sources takes the benchmarks' as well, which use it.
    cpSync(join(__dirname, "../support"), join(project.folder, "test/support"), { recursive: true });
    const source = project.read(file);
    project.write(file, source.replace("resultsDirectory:", 'addedOutput: "just now", resultsDirectory:'));
    expect((await project.pulumi(["preview"], plain)).output).toMatch(/addedOutput +: "just now"/);
    project.write(file, `${source}\nexport const = 1;\n`);
    const { code, output } = await project.pulumi(["preview"], plain);
    expect(code).not.toBe(0);
    expect(output).toMatch(/The sources cannot be bundled:[\s\S]*outputs\.ts/);
    project.write(file, source);
    expect((await project.pulumi(["preview"], plain)).output).not.toContain("addedOutput");
  });

  it("has a clean working tree after the first command", async () => {
    const git = async (...args: string[]): Promise<string> => (await project.start("git", args).ended).output;
    configure({ budgetDollars: 1 });
    // Another passphrase than this stack's.
    project.write("Pulumi.test.yaml", project.read("Pulumi.test.yaml").replace(/^encryptionsalt: .*\n/m, ""));
    await git("init", "-q");
    await git("add", "-A");
    await git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "-qm", "clone");
    const fresh = {
      LAMBDA_TRAIN_LOCAL: join(project.folder, ".local/fresh"),
      PULUMI_BACKEND_URL: undefined,
      PULUMI_CONFIG_PASSPHRASE: undefined,
      PULUMI_STACK: undefined,
    };
    const args = ["engine/bootstrap.mjs", "up", "--preview-only", "--stack", "test"];
    const { code, output } = await project.start(process.execPath, args, fresh).ended;
    expect(code, output).toBe(0);
    expect(await git("status", "--porcelain")).toBe("");
  });

  it("protects the instances by a key of the stack's file", async () => {
    configure({ protect: true });
    await project.succeeds("up");
    const protection = async (): Promise<unknown> =>
      JSON.parse((await project.pulumi(["stack", "export"])).output).deployment.resources.flatMap(
        (each: { type: string; protect?: boolean }) => (each.protect === true ? [each.type] : []),
      );
    const instance = ["pulumi-nodejs:dynamic/lambda-train:Instance"];
    expect(await protection()).toEqual(instance);
    expect(await project.fails("down", ["--keep-cloud"])).toContain("`lambda-train:protect`");
    configure({ protect: true, instanceTypes: ["gpu_1x_a10"] });
    expect(await project.fails("up")).toMatch(
      /instance-vm is protected, and an `up` that would end or replace what is protected is refused/,
    );
    expect((await cloud.inventory()).instances).toHaveLength(1);
    configure();
    await project.succeeds("up");
    expect(await protection()).toEqual([]);
    await project.succeeds("down", ["--keep-cloud"]);
    expect(await cloud.inventory()).toEqual(nothing);
  });
});
