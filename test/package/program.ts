import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { join, resolve } from "node:path";
import { stringify } from "yaml";
import type { TestCloud } from "../support/cloud";
import { ForeignFolder } from "../support/foreign-folder";

const root = resolve(__dirname, "../..");

/** Packages of Pulumi's that a program brings, with their versions. */
export const sdk: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(
    JSON.parse(readFileSync(join(root, "package.json"), "utf8")).dependencies as Record<string, string>,
  ).filter(([name]) => ["@pulumi/command", "@pulumi/pulumi", "@pulumi/random"].includes(name)),
);

/** A place on the emulated cloud. */
export const emulated = { endpoint: "emulated", instanceTypes: ["cpu_4x_general"], regions: ["us-east-1"] };

/** The clone's SDK, in place of the empty packages of the registry. */
export function linkSdk({ folder }: ForeignFolder): void {
  rmSync(join(folder, "node_modules/@pulumi"), { recursive: true, force: true });
  mkdirSync(join(folder, "node_modules/@pulumi"), { recursive: true });
  for (const name of Object.keys(sdk))
    symlinkSync(join(root, "node_modules", name), join(folder, "node_modules", name));
}

/** Somebody else's Pulumi program that trains, with stack `prod` and a cloud of its own. */
export class ForeignProgram extends ForeignFolder {
  /**
   * @param source Of its index.js.
   * @param experiments Sections of experiment files, by name. Each trains the tiny workload.
   */
  async make(source: string, experiments: Readonly<Record<string, object>>): Promise<TestCloud> {
    const cloud = await this.startCloud();
    cpSync(join(root, "test/fixtures/tiny"), join(this.folder, "tiny"), { recursive: true });
    this.write("package.json", JSON.stringify({ name: "infrastructure", private: true }));
    await this.succeeds("npm", ["install", "lambda-train"]);
    linkSdk(this);
    this.write("Pulumi.yaml", stringify({ name: "infrastructure", runtime: "nodejs", main: "program" }));
    this.write("program/package.json", JSON.stringify({ main: "index.js" }));
    this.write("program/index.js", source);
    const gate = { gpu: "optional", minDiskGiB: 0, modules: [] };
    for (const [name, sections] of Object.entries(experiments)) {
      for (const split of ["train", "valid", "test"]) this.write(`${name}-data/${split}/a.jsonl`, "[1, 3]");
      const dataset = { source: `${name}-data` };
      this.write(
        `${name}.yaml`,
        stringify({ experiment: name, workload: { source: "tiny" }, dataset, gate, ...sections }),
      );
    }
    await this.pulumi("stack", "init", "prod");
    return cloud;
  }

  /** The Pulumi CLI of the package. */
  pulumi(...words: string[]): Promise<string> {
    return this.command("pulumi", ...words, "--non-interactive");
  }

  /** A command of the package. */
  command(...words: string[]): Promise<string> {
    return this.succeeds("npx", ["lambda-train", ...words]);
  }

  async outputs(): Promise<unknown> {
    return JSON.parse(await this.pulumi("stack", "output", "--json", "--stack", "prod"));
  }
}
