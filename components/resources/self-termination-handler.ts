import { createHash } from "node:crypto";
import { instanceApiKey, instanceApiKeyConfig } from "../../lambda/api/endpoint";
import { duration } from "../../lambda/api/waiting";
import { armSelfTermination, disarmSelfTermination, isSelfTerminationAlive } from "../../remote/self-termination";
import { SshError } from "../../remote/session";
import { diffByName } from "../dynamic/diff";
import type { DynamicHandler, HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { isUnreachable, look, lookOrKeep, type OnInstance } from "./place";

interface Inputs extends OnInstance {
  readonly endpoint: string;
  readonly afterSeconds: number;
  readonly loseResults: boolean;
  readonly fileSystem?: string;
  /** The agent that watches. One of an earlier release does not see what a later one runs. */
  readonly agent?: string;
}

interface Outputs extends Inputs {
  /** Tells one key from another, and nothing of either. */
  readonly keyMark: string;
}

/** 32 bits of a hash: enough to see that the key is another one, too few to look for it. */
function markOf(key: string): string {
  return createHash("sha256").update(`self-terminate ${key}`).digest("hex").slice(0, 8);
}

function keyFor(endpoint: string, context: HandlerContext): string {
  return instanceApiKey(connect(endpoint, context).endpoint, context.config(instanceApiKeyConfig));
}

async function arm(inputs: Inputs, context: HandlerContext): Promise<Outputs> {
  const { access, instanceId, endpoint, afterSeconds, loseResults, fileSystem } = inputs;
  const key = keyFor(endpoint, context);
  const settings = {
    instance: instanceId,
    url: connect(endpoint, context).endpoint.url,
    after: afterSeconds,
    loseResults,
    fileSystem: fileSystem === undefined ? null : `/lambda/nfs/${fileSystem}`,
  };
  try {
    const { survivesReboot } = await look(access, (session) => armSelfTermination(session, settings, key));
    const when = loseResults ? "even if its results are lost" : "once its results are safe";
    context.progress(
      `The instance will terminate itself ${duration(afterSeconds)} after the last work there, ${when}. For that it holds an ` +
        "API key, which can do everything in the workspace. Everything that runs there can read it." +
        (survivesReboot ? "" : " It has no cron: after a reboot it won't terminate itself."),
    );
  } catch (error) {
    if (!(error instanceof SshError) || error.facts.kind !== "exit") throw error;
    throw new Error(
      `${error.message} Give it another key (LAMBDA_TRAIN_INSTANCE_API_KEY), fix what it says, or set selfTerminate to false.`,
      { cause: error },
    );
  }
  return { ...inputs, keyMark: markOf(key) };
}

/** Life of an instance's own watch over its end. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news, context) => {
    const diff = diffByName(olds, news, {
      replace: ["instanceId", "endpoint"],
      update: ["access", "afterSeconds", "loseResults", "fileSystem", "agent"],
    });
    return { ...diff, changes: diff.changes || isOtherKey(olds, context) };
  },
  create: async (inputs, context) => ({ id: inputs.instanceId, outs: await arm(inputs, context) }),
  update: async (_id, _olds, news, context) => arm(news, context),
  read: async (id, props, context) => {
    const { access } = props;
    if (access === undefined) return undefined;
    const known = props as Outputs;
    // If a reboot has ended the watch, the next `up` starts it again.
    const fresh = async (): Promise<Outputs> =>
      (await look(access, isSelfTerminationAlive)) ? known : { ...known, keyMark: "" };
    return { id, props: await lookOrKeep(known, context, fresh) };
  },
  delete: async (_id, { access, instanceId }, { progress }) => {
    try {
      await look(access, disarmSelfTermination);
    } catch (error) {
      // The instance goes as well in most cases, or has ended itself. What is not reached keeps its promise.
      if (!isUnreachable(error)) throw error;
      progress(`${(error as Error).message} Instance ${instanceId} keeps its API key, and may still terminate itself.`);
    }
  },
};

/** A preview may have no key at hand: then nothing is known of another. */
function isOtherKey({ endpoint, keyMark }: Outputs, context: HandlerContext): boolean {
  try {
    return markOf(keyFor(endpoint, context)) !== keyMark;
  } catch {
    return false;
  }
}
