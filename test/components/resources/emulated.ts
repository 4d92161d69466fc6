import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import type { HandlerContext } from "../../../components/dynamic/handler";
import type { InstanceInputs } from "../../../components/resources/instance-inputs";
import { AdminClient } from "../../../emulator/admin-client";
import { Cloud } from "../../../emulator/cloud";
import type { ApiAction } from "../../../emulator/faults/model";
import type { OperationId } from "../../../emulator/openapi/operations";
import { connectCloud } from "../../../lambda/api/connect";

/** The emulated cloud's API in this process, found as `emulated`, with folders of its own. */
export class Emulated {
  /** Lines that handlers kept. */
  readonly told: string[] = [];
  /** What handlers said that they were doing. */
  readonly doing: string[] = [];
  /** Whether the engine that handlers ask for is alive. */
  engine: () => boolean = () => true;
  /** Interrupts what waits. */
  readonly interruption = new AbortController();
  readonly context: HandlerContext = {
    config: () => undefined,
    progress: (line) => this.told.push(line),
    status: (phase, detail) => this.doing.push(detail === undefined ? phase : `${phase}: ${detail}`),
    engineAlive: async () => this.engine(),
    interrupted: this.interruption.signal,
  };

  private constructor(
    readonly cloud: Cloud,
    readonly admin: AdminClient,
    readonly folder: string,
  ) {}

  static async start(timeScale = 600): Promise<Emulated> {
    const folder = mkdtempSync(join(tmpdir(), "lambda-train-emulated-"));
    const cloud = await Cloud.start({ timeScale });
    const admin = new AdminClient(cloud.adminUrl);
    const { url, adminUrl, apiKey, sshPort } = cloud;
    mkdirSync(join(folder, "cloud"));
    const run = { url, adminUrl, apiKey, sshPort, timeScale, pid: process.pid };
    writeFileSync(join(folder, "cloud", "cloud.json"), JSON.stringify(run));
    vi.stubEnv("LAMBDA_TRAIN_LOCAL", folder);
    vi.stubEnv("LAMBDA_TRAIN_CACHE", join(folder, "cache"));
    return new Emulated(cloud, admin, folder);
  }

  async stop(): Promise<void> {
    await this.cloud.stop();
    vi.unstubAllEnvs();
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** The next calls of an operation go wrong. */
  async fault(operation: OperationId, action: ApiAction, times = 1): Promise<void> {
    await this.admin.addApiFault({ match: { operation }, times, action });
  }

  /** Names of the instances that are billed. */
  async living(): Promise<string[]> {
    const { instances } = await this.admin.state();
    const all = Object.values(instances) as { name?: string; status: string }[];
    return all.filter(({ status }) => !["terminating", "terminated"].includes(status)).map(({ name }) => name ?? "");
  }
}

/** An emulated cloud with one SSH key, room for `gpu_1x_a10` in us-east-1 alone, and inputs that fit it. */
export async function startWithInputs(): Promise<{ lambda: Emulated; inputs: InstanceInputs }> {
  const lambda = await Emulated.start();
  const publicKey = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ4yZ0cnu0cYc8T0dWDNKPMVbhEPWLg1Z6f8gcFSRKOz";
  await connectCloud("emulated").client.addSshKey({ name: "key", publicKey });
  await lambda.admin.setCapacity({ instanceType: "*", region: "*", free: 0, listed: "auto" });
  await lambda.admin.setCapacity({ instanceType: "gpu_1x_a10", region: "us-east-1", free: 5 });
  const inputs = {
    name: "lambda-train-test-0a1b2c3d",
    endpoint: "emulated",
    instanceTypes: ["gpu_1x_a10"],
    regions: ["us-east-1"],
    sshKeyName: "key",
    userData: "#cloud-config\nssh_keys: {}\n",
    capacityTimeoutSeconds: 0,
  };
  return { lambda, inputs };
}
