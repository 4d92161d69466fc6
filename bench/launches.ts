import { channel } from "node:diagnostics_channel";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Agent } from "undici";
import type { DynamicHandler, HandlerContext } from "../components/dynamic/handler";
import { type BootInputs, bootHandler } from "../components/resources/boot-handler";
import { firewallRulesetHandler } from "../components/resources/firewall-ruleset-handler";
import { instanceHandler } from "../components/resources/instance-handler";
import type { InstanceInputs } from "../components/resources/instance-inputs";
import { sshKeyHandler } from "../components/resources/ssh-key-handler";
import { AdminClient } from "../emulator/admin-client";
import { Cloud as EmulatedCloud } from "../emulator/cloud";
import { newEd25519 } from "../lambda/account/ed25519";
import { LambdaClient } from "../lambda/api/client";
import type { Cloud } from "../lambda/api/connect";
import { intervals, SharedPacer } from "../lambda/api/pacer";
import { SimulatedClock } from "../test/support/simulated-clock";
import { report } from "./figures";

/**
 * A hundred machines of one stack, from the first call to the last boot: the handlers of SSH key, ruleset, instance and
 * boot, the client and its pacing, against the emulated cloud's API with Lambda's limits. Time is simulated. Left out are
 * the engine, which runs as many operations at once as we tell it to, and the login.
 */
const machines = 100;

/** Milliseconds that a call is on its way, from least to most. */
const wayMs = [150, 200] as const;

const region = "us-east-1";
const instanceType = "gpu_1x_a10";

async function main(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-launches-"));
  Object.assign(process.env, { LAMBDA_TRAIN_CACHE: join(folder, "cache"), LAMBDA_TRAIN_LOCAL: join(folder, "local") });
  const clock = new SimulatedClock();
  const emulated = await EmulatedCloud.start({ timeScale: 1, now: clock.now });
  try {
    const admin = new AdminClient(emulated.adminUrl);
    await admin.patchSettings({ quota: { instances: machines, rulesets: machines } });
    await admin.setCapacity({ instanceType, region, free: machines });
    const calls: { readonly path: string; readonly at: number; readonly status: number }[] = [];
    channel("undici:request:headers").subscribe((event) => {
      const { request, response } = event as { request: { path: string }; response: { statusCode: number } };
      // Time stands still while the API answers.
      calls.push({ path: request.path, at: clock.now(), status: response.statusCode });
    });
    const cloud = connected(emulated, clock, folder);
    const { seconds } = await admin.settings();

    const started = clock.now();
    const names = Array.from({ length: machines }, (_, i) => `lambda-train-bench-${hexOf(i)}`);
    await clock.during(Promise.all(names.map((name) => machine(cloud, name))));
    const took = (clock.now() - started) / 1000;

    const refused = calls.filter(({ status }) => status === 429).length;
    if (refused > 0) throw new Error(`${refused} calls were refused: their pace was wrong.`);
    const least = (machines - 1) * intervals.launch + seconds.bootOneGpu;
    const lists = calls.filter(({ path }) => path.endsWith("/instances")).map(({ at }) => at);
    const inOneSecond = Math.max(
      ...lists.map((at) => lists.filter((other) => other >= at && other < at + 1000).length),
    );
    const part = "launches";
    report({
      part,
      what: `${machines} launches / what the limits allow`,
      value: took / least,
      unit: "×",
      goal: { atMost: 1.02 },
      from: `${took.toFixed(0)} s, ${least} s at least, ${calls.length} calls; simulated time`,
    });
    report({
      part,
      what: "most list calls within a second",
      value: inOneSecond,
      unit: "/s",
      goal: { atMost: 1 },
      from: `${lists.length} list calls in ${took.toFixed(0)} s`,
    });
  } finally {
    await emulated.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** All that one machine asks of the API, in the order in which its resources depend on each other. */
async function machine(cloud: Cloud, name: string): Promise<void> {
  const connect = (): Cloud => cloud;
  const { privateKey, publicKey } = newEd25519();
  const networks = ["203.0.113.7/32"].map((sourceNetwork) => ({ ...ssh, sourceNetwork }));
  const [key, ruleset] = await Promise.all([
    create(sshKeyHandler(connect), { name, publicKey }),
    create(firewallRulesetHandler(connect), { name: `${name}-${region}`, region, rules: networks }),
  ]);
  const inputs: InstanceInputs = {
    name,
    instanceTypes: [instanceType],
    regions: [region],
    sshKeyName: (key.outs as { name: string }).name,
    rulesetIds: { [region]: ruleset.id },
    userData: "#cloud-config\n",
    capacityTimeoutSeconds: 900,
  };
  const { id: instanceId } = await create(instanceHandler(connect), inputs);
  const booting: BootInputs = { instanceId, hostKey: publicKey, privateKey };
  await create(
    bootHandler(connect, async () => undefined),
    booting,
  );
}

const ssh = { protocol: "tcp", portRange: [22, 22] as [number, number], description: "bench" } as const;

const context: HandlerContext = {
  config: () => undefined,
  progress: () => undefined,
  status: () => undefined,
  engineAlive: async () => true,
  interrupted: new AbortController().signal,
};

function create<I extends object, O extends object>(
  handler: DynamicHandler<I, O>,
  inputs: I,
): Promise<{ id: string; outs: O }> {
  if (handler.create === undefined) throw new Error("The handler creates nothing.");
  return Promise.resolve(handler.create(inputs, context));
}

/** As `connectCloud` connects, but by a clock of its own. */
function connected({ url, apiKey }: EmulatedCloud, clock: SimulatedClock, folder: string): Cloud {
  const key = (): string => apiKey;
  const pace = { folder: join(folder, "cache", "pace"), identity: () => `${url} ${apiKey}`, clock, jitterMs: 50 };
  const dispatcher = new Agent().compose((dispatch) => (options, handler) => {
    const [least, most] = wayMs;
    void clock.sleep(least + Math.random() * (most - least)).then(() => dispatch(options, handler));
    return true;
  });
  const client = new LambdaClient({
    baseUrl: url,
    apiKey: key,
    pacer: new SharedPacer(pace),
    clock,
    userAgent: "lambda-train (bench)",
    dispatcher,
    onDate: clock.told,
  });
  const endpoint = { url, apiKey: key, timeScale: 1, sshPort: 22, ownKey: true };
  return { client, clock, endpoint };
}

/** Eight hexadecimal digits in no order, as suffixes of names are. */
function hexOf(i: number): string {
  return ((i * 2654435761) % 2 ** 32).toString(16).padStart(8, "0");
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
