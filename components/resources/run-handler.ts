import { askedDate } from "../../lambda/api/date";
import { isGone, statusOrGone } from "../../lambda/life/presence";
import type { DashboardPlan, RunPlan } from "../../plan/types";
import { ensureAgent } from "../../remote/agent";
import { tellTime } from "../../remote/clock";
import {
  doubtText,
  hasEnded,
  isStopping,
  limitTexts,
  RunError,
  readStatus,
  startsAgain,
  stopRun,
  trainingFailed,
} from "../../remote/run";
import { bringSecrets } from "../../remote/secrets";
import { withSession } from "../../remote/session";
import type { RunState, RunStatus } from "../../remote/types";
import { waitForEnd, waitForFirstStep } from "../../remote/waiting";
import { elsewhereLines } from "../../remote/written";
import { diffByName } from "../dynamic/diff";
import { CreatedButFailed, type DynamicHandler, type HandlerContext } from "../dynamic/handler";
import { connect } from "./cloud";
import { isUnreachable, look, lookOrKeep, type OnInstance } from "./place";
import { maskSecrets, secretsHere } from "./secrets-here";

interface Inputs extends OnInstance {
  readonly endpoint: string;
  readonly startId: string;
  readonly run: RunPlan;
  readonly workspace: string;
  readonly dashboard?: DashboardPlan;
  readonly startScript: string;
  readonly standsOn: string;
}

interface Outputs extends Inputs {
  readonly state: RunState;
  readonly attempt?: number;
  readonly stopReason?: string;
  readonly logPath: string;
  readonly firstStepLine?: string;
}

function outputs(inputs: Inputs, status: RunStatus): Outputs {
  const { state, attempt, stopReason, logPath, firstStepLine } = status;
  return { ...inputs, state, attempt, stopReason, logPath, firstStepLine };
}

/** What a run does, as its row shows it: the last line of its log tells the loss. */
function phaseOf({ state, lastLine }: RunStatus): [string, string?] {
  if (state === "running") return ["training", lastLine];
  return state === "evaluating" ? ["evaluating"] : ["waiting for the first step", lastLine];
}

/** Why training ended before its time, where a limit or somebody ended it. */
function stopped(experiment: string, status: RunStatus): string {
  const { stopReason = "from outside" } = status;
  const why = limitTexts[stopReason] ?? (stopReason === "user" ? "somebody asked for it" : stopReason);
  const again = startsAgain(status) ? "; the next `up` starts it again" : "";
  return `${experiment} was stopped: ${why}. Its results stay on the instance; \`npm run down\` downloads them${again}.`;
}

/** Waits as far as the plan says. It records a run that fails meanwhile, so that the next `up` starts it again. */
async function watch(id: string, inputs: Inputs, context: HandlerContext): Promise<Outputs> {
  const { access, run } = inputs;
  const { experiment } = run;
  const { progress } = context;
  maskSecrets(run.secrets, context);
  const cloud = connect(inputs.endpoint, context);
  const told = {
    onProgress: progress,
    onStatus: (status: RunStatus) => context.status(...phaseOf(status)),
    // If the API doesn't answer, nothing is known, and the wait continues.
    signal: context.interrupted,
    isGone: () => statusOrGone(cloud, { id: inputs.instanceId }, access.privateKey).then(isGone, () => false),
  };
  const current = (): Promise<RunStatus> => look(access, (session) => readStatus(session, experiment));
  try {
    const now = await askedDate(cloud);
    await look(access, (session) => tellTime(session, now)).catch((error: unknown) => {
      // The wait itself reports what keeps it.
      if (!isUnreachable(error)) throw error;
    });
    const status =
      run.waitFor === "end"
        ? await waitForEnd(access, { experiment }, told)
        : await waitForFirstStep(access, { experiment }, { ...told, timeoutSeconds: run.firstStepTimeoutSeconds });
    if (status.firstStepLine !== undefined) progress(`first step: ${status.firstStepLine}`);
    if (hasEnded(status.state)) for (const line of elsewhereLines(status.writtenElsewhere)) progress(line);
    const doubt = doubtText(status);
    if (doubt !== undefined) progress(doubt);
    if (status.state === "failed") throw await trainingFailed(access, experiment, status);
    if (status.state === "stopped") progress(stopped(experiment, status));
    return outputs(inputs, status);
  } catch (error) {
    context.interrupted.throwIfAborted();
    if (isUnreachable(error) || (error instanceof RunError && error.facts.kind === "gone")) throw error;
    throw new CreatedButFailed((error as Error).message, id, outputs(inputs, await current()), { cause: error });
  }
}

/**
 * How a run is. One that is being stopped has ended first: of machines that train together the others stop a moment after the
 * one that failed or was stopped, and would not be started again with it.
 */
async function settled({ access, run }: Inputs, context: HandlerContext): Promise<RunStatus> {
  const { experiment, graceSeconds } = run;
  const status = await look(access, (session) => readStatus(session, experiment));
  if (!isStopping(status)) return status;
  context.status("waiting for its end", `it is being stopped (${status.stopReason})`);
  return stopRun(access, { experiment }, { reason: status.stopReason ?? "", graceSeconds });
}

/** Life of a run as seen from here. It is started by a command, and ended by the results' deletion. */
export const handler: DynamicHandler<Inputs, Outputs> = {
  diff: (_id, olds, news) => {
    const diff = diffByName(olds, news, {
      replace: ["instanceId", "startId"],
      update: ["access", "run", "workspace", "dashboard", "standsOn"],
    });
    // A refresh has seen that it failed or was stopped, or is about to be: the next `up` starts it again.
    return { ...diff, changes: diff.changes || startsAgain(olds) || isStopping(olds) };
  },
  create: async (inputs, context) => {
    const id = `${inputs.instanceId}:${inputs.run.experiment}`;
    return { id, outs: await watch(id, inputs, context) };
  },
  read: async (id, props, context) => {
    const { access, run } = props;
    if (access === undefined || run === undefined) return undefined;
    context.status("looking at the run");
    const fresh = async (): Promise<Outputs> =>
      outputs(props as Inputs, await look(access, (session) => readStatus(session, run.experiment)));
    return { id, props: await lookOrKeep(props as Outputs, context, fresh) };
  },
  update: async (id, olds, news, context) => {
    const status = await settled(news, context);
    // Where the start command has run again already, the attempt is a newer one.
    if (startsAgain(status) && status.attempt === olds.attempt) {
      const ended =
        status.state === "stopped"
          ? `was stopped (${status.stopReason})`
          : status.exitCode === undefined
            ? "had ended without a status, as when the instance restarts"
            : status.detached === undefined
              ? `had failed with status ${status.exitCode}`
              : "had detached itself";
      context.progress(`${news.run.experiment} ${ended}; it starts again`);
      const { secrets } = news.run;
      const values = secrets && secretsHere(secrets, context);
      await withSession(news.access, async (session) => {
        await ensureAgent(session);
        if (values !== undefined) await bringSecrets(session, values);
        return session.run("bash -s", "starting the run", { stdin: news.startScript });
      });
    }
    return watch(id, news, context);
  },
};
