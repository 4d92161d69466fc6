import { createHash } from "node:crypto";
import { onlyMachine, onlyRun } from "../../plan/types";

/** When all instances of a made-up state were launched. */
export const launchedAt = "2026-01-01T00:00:00.000Z";

/** A machine of a made-up state. */
export interface MadeMachine {
  readonly name: string;
  /** Names of its runs. Their experiments are `exp-<name>`. */
  readonly runs: readonly string[];
  readonly priceCents?: number;
  /** Without: nothing was launched, or it is gone from the state. */
  readonly launched?: boolean;
  /** False: its first uploads have failed. */
  readonly uploaded?: boolean;
  /** As releases wrote it that kept no plan in force. */
  readonly planless?: boolean;
  /** Another plan waits for the end of the runs. */
  readonly waits?: boolean;
  readonly budgetDollars?: number;
}

/** The resources of a stack, as `pulumi stack export --show-secrets` prints them. */
export function exported(machines: readonly MadeMachine[]): string {
  return JSON.stringify({ version: 3, deployment: { resources: machines.flatMap(resourcesOf) } });
}

interface Made {
  readonly type: string;
  readonly name: string;
  readonly id?: string;
  readonly inputs?: object;
  readonly outputs?: object;
}

function resourcesOf({
  name,
  runs,
  launched = true,
  uploaded = true,
  planless,
  waits,
  ...price
}: MadeMachine): object[] {
  const prefix = name === onlyMachine ? "" : `${name}-`;
  const { priceCents = 120, budgetDollars } = price;
  const instanceId = `i-${name}`;
  const access = secret({
    host: `${name}.example`,
    port: 22,
    user: "ubuntu",
    privateKey: "key",
    hostKey: "ssh-ed25519 A",
  });
  const claim = { name: `lambda-train-test-${createHash("sha256").update(name).digest("hex").slice(0, 8)}` };
  const plan = (hash: string): unknown =>
    secret({
      ...{ workload: { hash, extraFiles: {}, name: "work" }, environment: { hash: "e" }, gate: {}, results: {} },
      runs: runs.map((run) => ({ name: run, machine: name, run: runOf(run) })),
    });
  const made: Made[] = [
    { type: "Claim", name: `${prefix}instance-claim`, inputs: claim, outputs: claim },
    { type: "LaunchClaim", name: `${prefix}instance-launches`, inputs: claim, outputs: claim },
    ...(launched
      ? [
          {
            type: "Instance",
            name: `${prefix}instance-vm`,
            id: instanceId,
            inputs: { endpoint: "emulated", budgetDollars },
            outputs: { instanceType: "gpu_1x_a10", region: "us-east-1", priceCentsPerHour: priceCents, launchedAt },
          },
        ]
      : []),
    ...(uploaded ? [{ type: "Upload", name: `${prefix}workspace-code`, inputs: { instanceId, access } }] : []),
    ...(planless
      ? []
      : [
          {
            type: "Standing",
            name: `${prefix}standing-watch`,
            inputs: { instanceId, access, plan: plan(waits ? "2" : "1") },
            outputs: { plan: plan("1") },
          },
        ]),
    ...runs.flatMap((run) => {
      const before = run === onlyRun ? "" : `${run}-`;
      const evaluation = { command: "evaluate", checkpoint: "*", metrics: "*", timeoutSeconds: 60 };
      const place = { instanceId, access, workspace: "work", directory: "/nowhere/results/test" };
      return [
        { type: "Results", name: `${before}results-guard`, inputs: { ...place, run: secret(runOf(run)), evaluation } },
        { type: "Run", name: `${run}-watch`, inputs: { access, dashboard: { command: "board", port: 8501 } } },
      ];
    }),
  ];
  return made.map(({ type, name: of, ...rest }, at) => {
    const kind = `pulumi-nodejs:dynamic/lambda-train:${type}`;
    const created = new Date(Date.parse(launchedAt) + at * 1000).toISOString();
    return { urn: `urn:pulumi:test::lambda-train::${kind}::${of}`, type: kind, created, ...rest };
  });
}

/** As far as a run's plan is read here. */
function runOf(name: string): object {
  const [experiment, limits] = [`exp-${name}`, { maxSeconds: 3600, idleSeconds: 600 }];
  return {
    experiment,
    hash: name,
    directory: ".",
    outputs: "outputs",
    variables: { LR: "1" },
    graceSeconds: 5,
    ...limits,
  };
}

function secret(value: unknown): unknown {
  return { "4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270", plaintext: JSON.stringify(value) };
}
