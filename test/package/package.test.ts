import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { nothing } from "../support/cloud";
import { inFleetSuite } from "../support/fleet-suite";
import { ForeignFolder } from "../support/foreign-folder";
import { Registry } from "../support/registry";
import { packLater } from "./later";
import { pageAt } from "./page";
import { emulated, ForeignProgram, linkSdk, sdk } from "./program";

const root = resolve(__dirname, "../..");
const { version, scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const forClone = ["bench", "cloud", "reference", "screenshots"];
/** Commands that both have. */
const operatorCommands = Object.keys(scripts).filter(
  (name) => existsSync(join(root, "cli", `${name}.ts`)) && !forClone.includes(name),
);
/** Versions of the packages that a program brings, by name. */
const versions: Record<string, string> = { ...sdk, "lambda-train": version };
/** A command in a network without anything but the machine itself. */
const alone = (command: string): [string, string[]] => {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  return ["unshare", [...user, "--net", "sh", "-c", `ip link set lo up && ${command}`]];
};

describe("the package for npm", { timeout: 60_000 }, () => {
  const packed = mkdtempSync(join(tmpdir(), "lambda-train-packed-"));
  const tarball = join(packed, `lambda-train-${version}.tgz`);
  let registry: Registry;

  beforeAll(async () => {
    execFileSync(process.execPath, [join(root, "engine/package/pack.mjs"), packed]);
    registry = await Registry.start({ "lambda-train": tarball });
    for (const [name, each] of Object.entries(sdk)) registry.addEmpty(name, each);
  });
  afterAll(() => {
    registry.stop();
    rmSync(packed, { recursive: true });
  });

  it("is small, without tests, emulator and dependencies, and names commands as its user types them", () => {
    const folder = join(packed, "unpacked");
    mkdirSync(folder);
    const names = execFileSync("tar", ["-xzvf", tarball, "-C", folder], { encoding: "utf8" }).trim().split("\n");
    expect(statSync(tarball).size).toBeLessThan(4e6);
    expect(names.filter((name) => /\/tests?\/|\.test\.|vitest|^package\/(dist\/)?emulator\//.test(name))).toEqual([]);
    expect(JSON.parse(readFileSync(join(folder, "package/package.json"), "utf8"))).not.toHaveProperty("dependencies");
    const texts = names
      .filter((name) => /\.(js|mjs|py|json|yml|md|html)$/.test(name))
      .map((name) => readFileSync(join(folder, name), "utf8"));
    const called = operatorCommands.filter((name) => texts.some((text) => text.includes(`npm run ${name}`)));
    expect(called).toEqual([]);
    expect(texts.join("\n")).toContain("npx lambda-train down");
  });

  describe("in somebody's repository", () => {
    let repository: ForeignFolder;
    const git = (...args: string[]): Promise<string> =>
      repository.succeeds("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", ...args]);
    const npx = (...args: string[]): Promise<string> => repository.succeeds("npx", ["lambda-train", ...args]);

    beforeAll(async () => {
      repository = new ForeignFolder(registry.url);
      cpSync(join(root, "test/fixtures/tiny"), repository.folder, { recursive: true });
      repository.write(".gitignore", "outputs/");
      repository.write("README.md", "mine");
      await git("init", "--quiet");
      await git("add", "--all");
      await git("commit", "--quiet", "--message", "mine");
      for (const split of ["train", "valid", "test"]) repository.write(`data/${split}/a.jsonl`, "[1, 3]");
    });
    afterAll(() => repository.dispose());

    it("installs by its name, and needs no other package", async () => {
      await repository.succeeds("npm", ["install", "--save-dev", "lambda-train"]);
      expect(registry.refused).toEqual([]);
    });

    it("init finds how it trains, says why, and overwrites nothing", async () => {
      const [program, args] = alone("npx lambda-train init");
      const output = await repository.succeeds(program, args);
      expect(output).toContain("(Makefile has a target train that takes these variables)");
      expect(output).toContain("npx lambda-train up --preview-only");
      expect(await git("diff", "--stat")).toMatch(/^ \.gitignore \| \d+ [+-]+\n 1 file/);
      expect(repository.read(".gitignore")).toMatch(/^outputs\/\n# lambda-train\nnode_modules\/\n/);
      const file = Object.keys(await written()).find((name) => name.startsWith("lambda-train/")) ?? "";
      expect(parse(repository.read(file))).toMatchObject({
        dataset: { source: "data", splits: ["train", "valid", "test"] },
        train: { command: "make train CONFIG={config} EXPERIMENT={experiment}", config: "configs/lambda.yaml" },
        evaluate: { command: "make evaluate MODEL={checkpoint}" },
      });
      const before = await written();
      expect(Object.keys(before)).toEqual(
        expect.arrayContaining([".github/workflows/lambda-train.yml", "Pulumi.gpu.yaml", "Pulumi.yaml"]),
      );
      expect(await npx("init")).toContain("kept   Pulumi.gpu.yaml, which is there already");
      expect(await written()).toEqual(before);
    });

    it("writes another experiment file beside the first, and completes what is typed in any folder", async () => {
      const [first] = Object.keys(await written()).filter((name) => name.startsWith("lambda-train/"));
      const output = await npx("new-experiment", "--name", "a-fast-one", "--set", "train.maxHours=2");
      expect(output).toContain("lambda-train:experiment: lambda-train/a-fast-one.yaml");
      expect(output).toContain("Then: npx lambda-train up --stack <stack>");
      const made = "lambda-train/a-fast-one.yaml";
      const { experiment, train } = parse(repository.read(made));
      expect([experiment, train]).toEqual([
        "a-fast-one",
        { ...parse(repository.read(first ?? "")).train, maxHours: 2 },
      ]);
      rmSync(join(repository.folder, made));
      repository.write(".local/completion.bash", await npx("completion", "bash"));
      const script = `. "$1"; cd /
COMP_WORDS=(lambda-train up --stack ""); COMP_CWORD=3; _lambda_train; echo "\${COMPREPLY[@]}"
COMP_WORDS=(lambda-train up --previ); COMP_CWORD=2; _lambda_train; echo "\${COMPREPLY[@]}"
lambda-train experiments --json`;
      const file = join(repository.folder, ".local/completion.bash");
      const lines = (await repository.succeeds("bash", ["-c", script, "bash", file])).split("\n");
      expect(lines.slice(0, 2)).toEqual(["gpu", "--preview-only"]);
    });

    it("previews without a network, a key or an account", async () => {
      const [program, args] = alone("npx lambda-train up --preview-only");
      const output = await repository.succeeds(program, args);
      expect(output).toMatch(/Launching gpu_1x_a10/);
      expect(output).toMatch(/\d+ to create/);
    });

    it("trains from up to down, also while it is upgraded", async () => {
      await repository.startCloud();
      const file = "Pulumi.gpu.yaml";
      const [experiment] = Object.keys(await written()).filter((name) => name.startsWith("lambda-train/"));
      const of = (config: object): Record<string, unknown> =>
        Object.fromEntries(Object.entries(config).map(([key, value]) => [`lambda-train:${key}`, value]));
      // It belongs to this checkout's passphrase, and would lock everybody else out.
      expect(repository.read(file)).not.toContain("encryptionsalt");
      repository.write(file, stringify({ config: of({ ...emulated, experiment }) }));
      const text = repository.read(experiment ?? "");
      repository.write(
        experiment ?? "",
        text
          .replace(/^gate:/m, "gate:\n  gpu: optional\n  minDiskGiB: 0")
          .replace("train:\n", "train:\n  overrides: {steps: 100000}\n"),
      );
      expect(await npx("up")).toMatch(/runStatus +: "running"/);
      expect(await npx("exec", "ls", "-a")).not.toMatch(/Pulumi|^lambda-train|results|package/m);
      const bin = join(repository.folder, "node_modules/lambda-train/engine/bootstrap.mjs");
      const paths = ["/", "/main.js", "/lib/preact.js", "/lib/uplot.js", "/style/head.css", "/api/report"];
      const page = await pageAt(repository, bin, paths);
      expect([...page.values()].map((answer) => answer.slice(0, 3))).toEqual(paths.map(() => "200"));
      expect(page.get("/")).toContain("npx lambda-train status");
      expect(page.get("/api/report")).toContain('"stack":"gpu"');

      const before = JSON.parse(await npx("status", "--json"));
      const later = packLater(tarball, "99.0.0", packed);
      await repository.succeeds("npm", ["install", "--save-dev", later]);
      const upgraded = await npx("up");
      expect(upgraded).not.toMatch(/created|replaced|deleted|wait/);
      const { instance, run } = JSON.parse(await npx("status", "--json"));
      expect([instance.id, run.attempt, run.startedAt, run.state]).toEqual([
        ...[before.instance.id, before.run.attempt, before.run.startedAt],
        "running",
      ]);
      // What the package itself writes into the project is no changed code, and the state knows nothing of its place.
      repository.write(file, `${repository.read(file)}  lambda-train:budgetDollars: 5\n`);
      expect(await npx("pulumi", "preview", "--stack", "gpu", "--diff")).not.toContain("lambda-train:Upload");
      expect(repository.state("gpu")).not.toContain("node_modules");
      expect(await npx("down")).toMatch(/\d+ files, .*verified/);
      // It has stopped the cloud.
      expect(await (await repository.startCloud()).inventory()).toEqual(nothing);
    });

    it("says in a folder without a project what makes one, and has no command of the clone's", async () => {
      const bin = join(repository.folder, "node_modules/lambda-train/engine/bootstrap.mjs");
      const elsewhere = new ForeignFolder(registry.url);
      cpSync(join(repository.folder, "node_modules"), join(elsewhere.folder, "node_modules"), {
        recursive: true,
        verbatimSymlinks: true,
      });
      const { code, output } = await elsewhere.run("npx", ["lambda-train", "up"]);
      expect(output).toMatch(/There is no Pulumi\.yaml in .*npx lambda-train init makes/);
      expect(code).toBe(2);
      expect((await repository.run(process.execPath, [bin, "cloud"])).output).toContain("Unknown command cloud");
      elsewhere.write("Pulumi.yaml", "name: other\nruntime: nodejs\n");
      expect((await elsewhere.run("npx", ["lambda-train", "init"])).output).toMatch(/another Pulumi program's/);
      await elsewhere.dispose();
    });

    /** Files that git doesn't have, by path, with their text. */
    async function written(): Promise<Record<string, string>> {
      const names = await git("ls-files", "--others", "--exclude-standard", "-z");
      const own = names.split("\0").filter((name) => name !== "");
      return Object.fromEntries(own.map((name) => [name, repository.read(name)]));
    }
  });

  it("is what `pulumi new` makes a project with", async () => {
    const made = new ForeignFolder(registry.url);
    const env = { ...(await engineOf(made)), PULUMI_CONFIG_PASSPHRASE: "a passphrase for tests" };
    const words = ["--name", "trained", "--stack", "real", "--yes", "--dir", made.folder, "--force", "--offline"];
    await made.succeeds("pulumi", ["new", join(root, "templates/lambda-train"), ...words], env);
    const { dependencies } = JSON.parse(made.read("package.json")) as { dependencies: Record<string, string> };
    for (const [name, wanted] of Object.entries(dependencies)) expect(wanted).toBe(`^${versions[name]}`);
    linkSdk(made);
    made.write("my-repository/train.py", "print('step 1 loss 1')\n");
    made.write("experiment.yaml", made.read("experiment.yaml").replace("../my-repository", "my-repository"));
    const output = await made.succeeds("pulumi", ["preview", "--stack", "real", "--non-interactive"], env);
    expect(output).toMatch(/gpu_1x_a10 +/);
    await made.dispose();
  });

  it("gives other Pulumi programs trainings among their own resources", { timeout: 120_000 }, async () => {
    const program = new ForeignProgram(registry.url);
    const command = 'test -n "$DATA_KEY" && make train CONFIG={config} EXPERIMENT={experiment}';
    const train = { waitFor: "end", overrides: { steps: 20 } };
    const cloud = await program.make(
      `const { RandomId } = require("@pulumi/random");
const { Training } = require("lambda-train");
const bucket = new RandomId("bucket", { byteLength: 4 });
const [one, two] = ["one", "two"].map(
  (name) => new Training(name, { experiment: name + ".yaml", ...${JSON.stringify(emulated)} }, { dependsOn: bucket }),
);
module.exports = { status: [one.runStatus, two.runStatus], home: two.resultsDirectory, error: one.metrics };
`,
      { one: { train }, two: { train: { ...train, command }, environment: { secrets: ["DATA_KEY"] } } },
    );
    const path = "lambda-train:secrets.DATA_KEY";
    await program.pulumi("config", "set", "--stack", "prod", "--secret", "--path", path, "key-of-the-stack");
    await program.pulumi("up", "--yes", "--skip-preview", "--stack", "prod");
    expect(await program.outputs()).toMatchObject({
      status: ["finished", "finished"],
      home: "results/prod/two",
      error: { "metrics/evaluation.json": { step: 20 } },
    });
    expect(program.state("prod")).not.toContain("key-of-the-stack");
    expect((await cloud.inventory()).instances).toHaveLength(2);
    expect(await program.pulumi("preview", "--expect-no-changes", "--stack", "prod")).toContain("unchanged");
    await program.pulumi("destroy", "--yes", "--skip-preview", "--stack", "prod");
    expect(await cloud.inventory()).toEqual(nothing);
    for (const name of ["one", "two"]) expect(program.read(`results/prod/${name}/run/train.log`)).toContain("step 20");
    await program.dispose();
  });

  inFleetSuite(() => {
    it("gives them a sweep on two machines, and a training on two, side by side", { timeout: 240_000 }, async () => {
      const program = new ForeignProgram(registry.url);
      const train = { waitFor: "end", overrides: { seconds_per_step: 0.02 } };
      const cloud = await program.make(
        `const { Training } = require("lambda-train");
const place = ${JSON.stringify(emulated)};
const swept = new Training("swept", { experiment: "tried.yaml", instances: 2, ...place });
const joint = new Training("joint", { experiment: "joint.yaml", ...place });
const told = ({ runStatus, instanceId, resultsDirectory }) => ({ runStatus, instanceId, resultsDirectory });
module.exports = { swept: told(swept), joint: told(joint) };
`,
        {
          tried: { train, sweep: { grid: { steps: [10, 20, 30, 40] }, metric: "error" } },
          joint: { train: { ...train, nodes: 2, overrides: { steps: 20 } } },
        },
      );
      await program.pulumi("up", "--yes", "--skip-preview", "--stack", "prod");
      const id = expect.any(String);
      expect(await program.outputs()).toMatchObject({
        swept: {
          runStatus: { swept: "finished", "swept-2": "finished" },
          instanceId: { swept: id, "swept-2": id },
          resultsDirectory: "results/prod",
        },
        joint: {
          runStatus: "finished",
          instanceId: { joint: id, "joint-2": id },
          resultsDirectory: "results/prod/joint",
        },
      });
      expect((await cloud.inventory()).instances).toHaveLength(4);
      expect(await program.pulumi("preview", "--expect-no-changes", "--stack", "prod")).toContain("unchanged");
      expect(await program.command("status", "--stack", "prod")).toContain("4 trials: 4 complete");
      expect(await program.command("logs", "--stack", "prod", "--run", "joint", "--no-follow")).toContain("step 20");
      // A training that leaves the program brings its results home, and the other one stays.
      program.write(
        "program/index.js",
        program.read("program/index.js").replace(/^const joint.*|, joint: .*(?= })/gm, ""),
      );
      await program.pulumi("up", "--yes", "--skip-preview", "--stack", "prod");
      expect((await cloud.inventory()).instances).toHaveLength(2);
      expect(program.read("results/prod/joint/run/train.log")).toContain("step 20");
      await program.pulumi("destroy", "--yes", "--skip-preview", "--stack", "prod");
      expect(await cloud.inventory()).toEqual(nothing);
      for (const trial of [0, 1, 2, 3])
        expect(program.read(`results/prod/tried-t${trial}/run/train.log`)).toContain(`step ${10 * (trial + 1)}`);
      await program.dispose();
    });
  });

  /** The engine's environment, of a project that has the package. */
  async function engineOf(folder: ForeignFolder): Promise<NodeJS.ProcessEnv> {
    const maker = new ForeignFolder(registry.url);
    await maker.succeeds("npm", ["install", "lambda-train"]);
    maker.write("Pulumi.yaml", "name: maker\nmain: node_modules/lambda-train/dist/program\nruntime: nodejs\n");
    const env = JSON.parse(await maker.succeeds("npx", ["lambda-train", "env", "--json"])) as NodeJS.ProcessEnv;
    await maker.dispose();
    mkdirSync(join(folder.folder, ".local/state"), { recursive: true });
    return { ...env, PULUMI_BACKEND_URL: `file://${join(folder.folder, ".local/state")}`, LAMBDA_TRAIN_ROOT: root };
  }
});
