import { z } from "zod";
import type { EvaluationPlan } from "../plan/types";
import { type AgentCall, askAgent, callAgent } from "./agent";
import { ask } from "./conversation";
import { leftMetrics } from "./metric-files";
import { shellQuote } from "./quote";
import { evaluationOf, type StandsOn } from "./scripts";
import { type SshSession, withSession } from "./session";
import { withRetries } from "./transfer/retry";
import { type RunState, type RunStatus, type SshAccess, statusSchema } from "./types";

/** What a run did that its caller did not want. The message tells what to do; `status` is what was known last. */
export class RunError extends Error {
  override readonly name = "RunError";

  constructor(
    message: string,
    readonly facts: {
      readonly kind: "absent" | "gone" | "failed" | "first-step" | "stop" | "evaluation";
      readonly status?: RunStatus;
    },
  ) {
    super(message);
  }
}

/** True for a state that no longer changes by itself. */
export function hasEnded(state: RunState): boolean {
  return state === "finished" || state === "failed" || state === "stopped";
}

/** Why a limit stops a run, by its stop reason. */
export const limitTexts: Readonly<Record<string, string>> = {
  idle: "it was idle for train.idleMinutes",
  limit: "it had taken train.maxHours",
  budget: "the instance had cost its budget",
};

/** Whether an `up` starts a run again that has ended so: one that failed or that somebody stopped, not a limit. */
export function startsAgain({ state, stopReason }: Pick<RunStatus, "state" | "stopReason">): boolean {
  return state === "failed" || (state === "stopped" && !Object.hasOwn(limitTexts, stopReason ?? ""));
}

/** Whether it is being stopped, and an `up` will have to start it again. */
export function isStopping({ state, stopReason }: Pick<RunStatus, "state" | "stopReason">): boolean {
  const isGoing = state === "starting" || state === "running";
  return isGoing && stopReason !== undefined && startsAgain({ state: "stopped", stopReason });
}

/**
 * Reads a run's status from its files on the instance. `absent` is a status, not an error. A run that goes on without its
 * supervisor, which was killed, gets another: its limits hold again.
 */
export function readStatus(session: SshSession, experiment: string): Promise<RunStatus> {
  return ask(session, {
    ask: "status",
    document: { experiment },
    answer: statusSchema,
    what: `Reading the status of ${experiment}`,
    timeoutSeconds: 60,
  });
}

/** The error for a run that has failed, with the end of its log. */
export async function trainingFailed(access: SshAccess, experiment: string, status: RunStatus): Promise<RunError> {
  const when = status.firstStepAt === undefined ? " before its first step" : "";
  const message =
    status.detached === undefined
      ? `Training of ${experiment} failed with status ${status.exitCode ?? "unknown"}${when}. ${pipeHint(status)}` +
        `Fix it and run \`up\` again: ${nextAttempt(status)}.`
      : detachedText(experiment, status.detached);
  return new RunError(await withLogTail(access, message, status), { kind: "failed", status });
}

/** What is to be told of an end with status 0 that may be no success; undefined where nothing speaks for that. */
export function doubtText({ experiment, doubt }: RunStatus): string | undefined {
  if (doubt === undefined) return undefined;
  return (
    `WARNING: training of ${experiment} ended with status 0, but ${doubt}. A pipe inside make or sh hides a failure: ` +
    "`set -o pipefail` in the script, or `SHELL = /bin/bash` with `.SHELLFLAGS = -o pipefail -c` in the Makefile, shows it."
  );
}

/** What the next attempt of a run does, as far as it is known. */
export function nextAttempt({ resumesFrom, resumesItself }: RunStatus): string {
  if (resumesFrom === undefined)
    return "it runs train.command in the same workspace, and resumes if your training does so by itself";
  return resumesItself === true
    ? `it runs train.command, which resumes by itself; the newest whole checkpoint is ${resumesFrom}`
    : `it resumes from ${resumesFrom} (train.resume)`;
}

/** Commands run with pipefail: what fails inside a pipe fails it all, which `yes | …` does not want. */
function pipeHint({ exitCode }: RunStatus): string {
  return exitCode === 141
    ? "A command in a pipe wrote to one that had ended (SIGPIPE). If that is meant, begin train.command with `set +o pipefail;`. "
    : "";
}

function detachedText(experiment: string, commands: string): string {
  return (
    `Training of ${experiment} detached itself: its command ended with status 0 before any first step, while this kept ` +
    `running: ${commands}. The instance ended it, since it could neither enforce limits nor learn the exit status. ` +
    "Run training in the foreground (no nohup, &, tmux or screen in train.command): the stack detaches it itself. " +
    "Then run `up` again."
  );
}

/** Stops training cleanly and waits until it has ended. Does nothing to a run that has ended or never was. */
export async function stopRun(
  access: SshAccess,
  run: { readonly experiment: string },
  options: { readonly reason: string; readonly graceSeconds: number; readonly signal?: AbortSignal },
): Promise<RunStatus> {
  const { experiment } = run;
  return withRetries(
    access,
    async (session) => {
      const grace = Math.ceil(options.graceSeconds);
      const call = { verb: "stop", document: { experiment, reason: options.reason, grace } };
      const stopped = await askAgent(session, call, { timeoutSeconds: grace + 120 });
      const status = await readStatus(session, experiment);
      if (stopped.code !== 0) {
        throw new RunError(`Couldn't stop the training of ${experiment}: ${stopped.stderr.trim()}`, {
          kind: "stop",
          status,
        });
      }
      return status;
    },
    { signal: options.signal },
  );
}

/**
 * Keeps an ended run's results apart on the instance, unless they are at home or the run has these hashes.
 * @throws SshError `exit` where there is no room for the copy.
 */
export async function keepApart(session: SshSession, experiment: string, next: StandsOn): Promise<void> {
  const call = { verb: "aside-keep", document: { experiment, ...next } };
  await callAgent(session, call, `Keeping the results of ${experiment} apart`, { timeoutSeconds: 3600 });
}

/** Has an attempt with these settings go on from what a finished run has left, though that had others. */
export async function goOn(session: SshSession, experiment: string, hash: string): Promise<void> {
  await callAgent(session, { verb: "go-on", document: { experiment, hash } }, `Preparing ${experiment} to go on`);
}

/** Evaluates the best checkpoint unless that is done, and waits for it. A failed evaluation is in the status. */
export async function evaluateRun(
  access: SshAccess,
  plan: {
    readonly run: { readonly experiment: string };
    readonly evaluation?: EvaluationPlan;
    readonly isTrial?: true;
  },
  options: { readonly signal?: AbortSignal } = {},
): Promise<RunStatus> {
  const { experiment } = plan.run;
  const { evaluation } = plan;
  if (evaluation === undefined) {
    throw new Error("The plan has no evaluation: set evaluate.command in the experiment file.");
  }
  return withRetries(
    access,
    async (session) => {
      const document = { experiment, ...(plan.isTrial !== true && { evaluation: evaluationOf(evaluation) }) };
      const call = { verb: "evaluate", document };
      const done = await askAgent(session, call, { timeoutSeconds: evaluation.timeoutSeconds + 120 });
      const status = await readStatus(session, experiment);
      if (done.code !== 0 && status.evaluation?.state !== "failed") {
        const message = `Couldn't evaluate ${experiment}: ${done.stderr.trim()}`;
        throw new RunError(message, { kind: status.state === "absent" ? "absent" : "evaluation", status });
      }
      return status;
    },
    { signal: options.signal },
  );
}

/** What a failed evaluation said last, and that results do not depend on it. */
export async function evaluationFailure(session: SshSession, status: RunStatus): Promise<string> {
  const { experiment, evaluation } = status;
  const { stdout } = await askAgent(session, logEnd(experiment, "evaluate", 5));
  return (
    `Evaluation of ${experiment} failed with status ${evaluation?.exitCode ?? "unknown"}: ${stdout.trimEnd()}\n` +
    "The results are still downloaded, with this log as run/evaluate.log. Fix it and run `up` again: `down` evaluates once " +
    "more, unless the time limit ended it. Or evaluate the checkpoint yourself."
  );
}

const metricsRead = z.object({ files: z.record(z.string(), z.unknown()), left: z.array(leftMetrics) });

/**
 * Metrics of a run: what the JSON files in its output folder that match the glob hold besides lists, path → content; and
 * which of them were not read.
 */
export async function readMetrics(
  session: SshSession,
  run: { readonly experiment: string; readonly metrics: string },
): Promise<z.infer<typeof metricsRead>> {
  const { outputPath } = await readStatus(session, run.experiment);
  if (outputPath === undefined) {
    return { files: {}, left: [] };
  }
  const call = { verb: "metrics", document: { folder: outputPath, pattern: run.metrics } };
  const text = await callAgent(session, call, "Reading the metrics", { timeoutSeconds: 120 });
  return metricsRead.parse(JSON.parse(text));
}

const tailBytes = 256 * 1024;

/** The end of a log, from a line's beginning on. Of a progress bar it has what the bar shows last. */
export async function readLogTail(session: SshSession, path: string): Promise<string> {
  const shown = String.raw`LC_ALL=C sed 's/.*\r\([^\r]\)/\1/'`;
  const command = `tail -c ${64 * tailBytes} ${shellQuote(path)} | ${shown} | tail -c ${tailBytes}`;
  const { stdout } = await session.exec(command, { timeoutSeconds: 30 });
  return Buffer.byteLength(stdout) < tailBytes ? stdout : stdout.slice(stdout.indexOf("\n") + 1);
}

/** A message with the end of the log below it, where that can be read. */
export async function withLogTail(access: SshAccess, message: string, status: RunStatus): Promise<string> {
  try {
    const call = logEnd(status.experiment, "train", 40);
    const { stdout } = await withSession(access, (session) => askAgent(session, call, { timeoutSeconds: 30 }));
    return `${message}\nThe end of ${status.logPath}:\n${stdout.trimEnd()}`;
  } catch {
    return `${message} Log on the instance: ${status.logPath}`;
  }
}

/** Asks for the last lines of a log, long ones cut, without what would drive a terminal. */
function logEnd(experiment: string, log: "train" | "evaluate", lines: number): AgentCall {
  return { verb: "log-end", document: { experiment, log, lines } };
}
