import { AdminClient } from "../../emulator/admin-client";
import { readRunFile } from "../../emulator/run-file";
import type { Project } from "./project";

/** The emulated cloud of a project, seen from behind. */
export class TestCloud {
  readonly admin: AdminClient;
  readonly apiKey: string;

  private constructor(adminUrl: string, apiKey: string) {
    this.admin = new AdminClient(adminUrl);
    this.apiKey = apiKey;
  }

  /** Starts the project's cloud, its time running fast, and connects to its admin surface. */
  static async start(project: Pick<Project, "folder" | "run">, timeScale = 120): Promise<TestCloud> {
    const { code, output } = await project.run("cloud", ["start", "--time-scale", String(timeScale)]);
    const run = readRunFile(`${project.folder}/.local`);
    if (code !== 0 || run === undefined) throw new Error(`The emulated cloud did not start: ${output}`);
    return new TestCloud(run.adminUrl, run.apiKey);
  }

  /** Lets instances reach a server of this machine's loopback address, given by its URL. */
  async letReach(url: string): Promise<void> {
    const { hostPorts } = (await this.admin.settings()).network;
    await this.admin.patchSettings({ network: { hostPorts: [...hostPorts, Number(new URL(url).port)] } });
  }

  /** Everything that is rented or kept in the account: names by kind. Empty lists where nothing is. */
  async inventory(): Promise<{ instances: string[]; sshKeys: string[]; rulesets: string[]; fileSystems: string[] }> {
    const state = await this.admin.state();
    const living = state.instances.filter(({ status }) => status !== "terminated" && status !== "terminating");
    return {
      instances: living.map(({ id }) => id),
      sshKeys: state.sshKeys.map(({ name }) => name),
      rulesets: state.rulesets.map(({ name }) => name),
      fileSystems: state.fileSystems.map(({ name }) => name),
    };
  }
}

/** An account in which nothing is left. */
export const nothing = { instances: [], sshKeys: [], rulesets: [], fileSystems: [] };
