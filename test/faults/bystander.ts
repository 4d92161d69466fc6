import { setTimeout as sleep } from "node:timers/promises";
import { readRunFile } from "../../emulator/run-file";
import type { CloudState } from "../../emulator/state/model";
import { newEd25519 } from "../../lambda/account/ed25519";
import type { TestCloud } from "../support/cloud";
import type { Project } from "../support/project";

/** What somebody else has in the same account: an instance with its SSH key, ruleset and file system. */
export class Bystander {
  private constructor(
    readonly instanceId: string,
    /** As it was left. */
    private readonly left: string,
  ) {}

  static async settle(project: Project, cloud: TestCloud): Promise<Bystander> {
    const url = readRunFile(project.env.LAMBDA_TRAIN_LOCAL ?? "")?.url ?? "";
    const post = async (path: string, body: object): Promise<Record<string, unknown>> => {
      for (;;) {
        const response = await fetch(`${url}${path}`, {
          method: "POST",
          body: JSON.stringify(body),
          headers: { authorization: `Bearer ${cloud.apiKey}`, "content-type": "application/json" },
        });
        if (response.ok) return ((await response.json()) as { data: Record<string, unknown> }).data;
        if (response.status !== 429) throw new Error(`${path}: ${await response.text()}`);
        await sleep(50);
      }
    };
    await post("/ssh-keys", { name: "bystander", public_key: newEd25519().publicKey });
    await post("/filesystems", { name: "bystander", region: "us-east-1" });
    const rules = [{ protocol: "tcp", port_range: [22, 22], source_network: "127.0.0.1/32", description: "" }];
    const ruleset = await post("/firewall-rulesets", { name: "bystander", region: "us-east-1", rules });
    const launched = await post("/instance-operations/launch", {
      region_name: "us-east-1",
      instance_type_name: "cpu_4x_general",
      ssh_key_names: ["bystander"],
      file_system_names: ["bystander"],
      name: "bystander",
      tags: [{ key: "owner", value: "bystander" }],
      firewall_rulesets: [{ id: ruleset.id }],
    });
    const [id = ""] = launched.instance_ids as string[];
    const deadline = Date.now() + 120_000;
    for (let status = ""; status !== "active"; { status } = await cloud.admin.instance(id)) {
      if (Date.now() > deadline) throw new Error(`The bystander's instance is ${status} and not active after 120 s.`);
      await sleep(100);
    }
    return new Bystander(id, traces(await cloud.admin.state()));
  }

  /** What differs from how it was left; empty where nothing does. */
  changes(state: Traced): string {
    const now = traces(state);
    return now === this.left ? "" : `${this.left} became ${now}`;
  }
}

type Traced = Pick<CloudState, "instances" | "sshKeys" | "rulesets" | "fileSystems">;

/** All that carries the bystander's name, without what the emulator changes by itself. */
function traces({ instances, sshKeys, rulesets, fileSystems }: Traced): string {
  const ours = <T extends { name?: string }>(all: readonly T[]): T[] => all.filter(({ name }) => name === "bystander");
  const machines = ours(instances).map(({ id, status, tags, rulesetIds, mounts }) => {
    return { id, status, tags, rulesetIds, mounts };
  });
  return JSON.stringify([machines, ours(sshKeys), ours(rulesets), ours(fileSystems)]);
}
