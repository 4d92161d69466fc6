import type { Cloud } from "../../lambda/api/connect";
import { type Instance, isEnding } from "../../lambda/api/schemas";
import { duration, waitFor } from "../../lambda/api/waiting";
import { BillNotes } from "../../lambda/billing/notes";
import { maintenanceOf, maintenanceText } from "../../lambda/life/maintenance";
import { readRefreshed } from "../../lambda/life/presence";
import { listedInstance, readInstance } from "../../lambda/life/read";
import { looksUntilGone, shownWithinSeconds } from "../../lambda/life/young";
import { ensureAgent } from "../../remote/agent";
import { waitForSsh } from "../../remote/ssh/wait";
import { withRetries } from "../../remote/transfer/retry";
import { Failures, isOptionalAmount, isText } from "../dynamic/checks";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { type Connect, connect } from "./cloud";

export interface BootInputs {
  readonly instanceId: string;
  readonly hostKey: string;
  readonly privateKey: string;
  readonly endpoint?: string;
  readonly user?: string;
  readonly sshPort?: number;
  readonly bootTimeoutSeconds?: number;
  readonly agent?: string;
}

export interface BootOutputs extends Omit<BootInputs, "privateKey"> {
  readonly ip: string;
  readonly privateIp: string;
  readonly hostname: string;
  readonly status: string;
  readonly sshPort: number;
  readonly user: string;
}

/** How the handler logs in; another in tests. */
export type WaitForLogin = typeof waitForSsh;

/** Waits until somebody can log in, and puts the agent there. */
export const loginWithAgent: WaitForLogin = async (access, options) => {
  await waitForSsh(access, options);
  await withRetries(access, ensureAgent, { signal: options.signal });
};

export function bootHandler(
  connectTo: Connect,
  login: WaitForLogin = loginWithAgent,
): DynamicHandler<BootInputs, BootOutputs> {
  const boot = async (inputs: BootInputs, context: HandlerContext): Promise<BootOutputs> => {
    const cloud = connectTo(inputs.endpoint, context);
    const started = cloud.clock.now();
    const { instance, timeoutSeconds } = await waitUntilActive(cloud, inputs, context);
    noteBilling(instance);
    for (const event of await maintenanceOf(cloud, instance.id)) {
      const what = `Lambda's ${maintenanceText(event, cloud.clock.date())}`;
      context.progress(
        `WARNING: instance ${instance.id}: ${what}. A running \`npm run watch\` downloads the results before.`,
      );
    }
    const outs = outputsOf(inputs, instance, cloud);
    const left = timeoutSeconds - (cloud.clock.now() - started) / 1000;
    const { ip: host, sshPort: port, user, hostKey } = outs;
    context.status("waiting for SSH", `${host}:${port}`);
    await login(
      { host, port, user, hostKey, privateKey: inputs.privateKey },
      {
        // sshd of an emulated instance starts in our time, however fast the cloud's goes.
        timeoutSeconds: Math.max(cloud.clock.real(left), leastLoginSeconds),
        signal: context.interrupted,
        onWait: (reason) => context.status("waiting for SSH", reason),
      },
    );
    context.status(`reachable at ${host}`);
    return outs;
  };
  return {
    check: (news) => {
      const failures = new Failures();
      failures.require("instanceId", news.instanceId, (id) => isText(id), "must be an instance's id");
      const isHostKey = (key: string): boolean => isText(key) && /^[\w@.-]+ [\w+/]+=*( .*)?$/.test(key);
      failures.require("hostKey", news.hostKey, isHostKey, "must be a public key as one OpenSSH line");
      const seconds = (value: unknown): boolean => isOptionalAmount(value, true);
      failures.require("bootTimeoutSeconds", news.bootTimeoutSeconds, seconds, "must be seconds above 0");
      return { inputs: news, failures: failures.list };
    },
    diff: (_id, olds, news) => {
      const given = { ...news, sshPort: news.sshPort ?? olds.sshPort, user: news.user ?? olds.user };
      const update = ["sshPort", "user", "bootTimeoutSeconds", "agent"] as const;
      return diffByName(olds, given, { replace: ["instanceId", "hostKey", "endpoint"], update });
    },
    create: async (inputs, context) => ({ id: inputs.instanceId, outs: await boot(inputs, context) }),
    read: async (id, props, context) => {
      const cloud = connectTo(props.endpoint, context);
      const instance = await readRefreshed(cloud, { id }, context.interrupted);
      if (instance === undefined || isEnding(instance.status)) return undefined;
      noteBilling(instance);
      const { hostKey = "", endpoint, user, sshPort, bootTimeoutSeconds, agent, ip = "" } = props;
      const inputs = { instanceId: id, hostKey, endpoint, user, sshPort, bootTimeoutSeconds, agent };
      const outs = outputsOf(inputs, instance, cloud);
      return { id, props: { ...outs, ip: outs.ip || ip } };
    },
    update: async (_id, olds, news, context) => {
      const moved = (news.sshPort ?? olds.sshPort) !== olds.sshPort || (news.user ?? olds.user) !== olds.user;
      if (moved || news.agent !== olds.agent) return boot(news, context);
      const { privateKey: _, ...rest } = news as BootInputs & { __provider?: string };
      return { ...olds, ...rest };
    },
  };
}

/** The least of our seconds to wait for sshd once the instance is active. */
const leastLoginSeconds = 60;

/** The least of our seconds of a default boot time: an emulated boot is a few real processes. */
const leastBootSeconds = 60;

/** The cloud's seconds for which `unhealthy` is waited out: it may come straight from booting, and may pass. */
const unhealthySeconds = 300;

/** Seconds until `active` by size of the instance: single GPUs take 3 to 5 minutes, eight up to 25. */
export function defaultBootSeconds(gpus: number): number {
  if (gpus >= 8) return 40 * 60;
  return gpus >= 2 ? 25 * 60 : 15 * 60;
}

async function waitUntilActive(
  cloud: Cloud,
  inputs: BootInputs,
  context: HandlerContext,
): Promise<{ instance: Instance; timeoutSeconds: number }> {
  const { clock } = cloud;
  const { instanceId: id, bootTimeoutSeconds } = inputs;
  const first = await readInstance(cloud, id);
  const byDefault = clock.atLeast(defaultBootSeconds(first?.instanceType?.gpus ?? 0), leastBootSeconds);
  const timeoutSeconds = bootTimeoutSeconds ?? byDefault;
  let known = { instance: first };
  let status = "";
  let unhealthySince: number | undefined;
  let looks = 0;
  let missing = 0;
  const started = clock.now();
  /** One answer that does not know the instance proves nothing: not before it was seen, and not alone. */
  const isMissing = (): boolean => {
    missing += 1;
    const mayShow = status === "" && clock.now() - started < shownWithinSeconds(cloud) * 1000;
    return !mayShow && missing >= looksUntilGone;
  };
  const look = async (): Promise<Instance | undefined> => {
    if (looks > 0) known = { instance: await listedInstance(cloud, id) };
    looks += 1;
    const { instance } = known;
    if (instance === undefined && !isMissing()) return undefined;
    if (instance === undefined || isEnding(instance.status)) {
      const what = instance === undefined ? "is gone" : `is ${instance.status}`;
      throw new Error(`Instance ${id} ${what} instead of booting. Run \`refresh\` and \`up\` to launch another.`);
    }
    missing = 0;
    status = instance.status;
    if (status === "active" && instance.ip !== undefined) return instance;
    unhealthySince = status === "unhealthy" ? (unhealthySince ?? clock.now()) : undefined;
    if (unhealthySince !== undefined && clock.now() - unhealthySince >= unhealthySeconds * 1000) {
      throw new Error(
        `Instance ${id} has been unhealthy for ${duration(unhealthySeconds)}, and is billed. Lambda's own health check fails: ` +
          "replace it (`up` with `--replace` of the instance) or `destroy`.",
      );
    }
    return undefined;
  };
  const instance = await waitFor(look, {
    clock,
    signal: context.interrupted,
    timeoutSeconds,
    firstPauseSeconds: 5,
    longestPauseSeconds: 5,
    onWait: () =>
      context.status(status === "booting" ? "booting" : `waiting, ${status || "not shown yet"}`, `instance ${id}`),
  });
  if (instance !== undefined) return { instance, timeoutSeconds };
  const still = status === "active" ? "active without an address" : status || "not shown by the API";
  throw new Error(
    `Instance ${id} is still ${still} after ${duration(timeoutSeconds)} (bootTimeoutMinutes). It is in the state, and billed: ` +
      "run `up` again to keep waiting, or `destroy` to terminate it.",
  );
}

/** Once the instance is gone the API may not tell any more since when it was billed. */
function noteBilling({ id, firstHealthyAt }: Instance): void {
  if (firstHealthyAt !== undefined) new BillNotes(id).billedSince(firstHealthyAt);
}

function outputsOf(inputs: Omit<BootInputs, "privateKey">, instance: Instance, cloud: Cloud): BootOutputs {
  const { instanceId, hostKey, endpoint, bootTimeoutSeconds, agent, user = "ubuntu" } = inputs;
  const { ip = "", privateIp = "", hostname = "", status } = instance;
  const sshPort = inputs.sshPort ?? cloud.endpoint.sshPort;
  return { instanceId, hostKey, endpoint, bootTimeoutSeconds, agent, user, sshPort, ip, privateIp, hostname, status };
}

export const handler = bootHandler(connect);
