import { doubtText } from "../../remote/run";
import type { RunStatus } from "../../remote/types";
import { waitForEnd } from "../../remote/waiting";
import { elsewhereLines } from "../../remote/written";
import { tellOfRuns } from "../notify/notify";
import { logOutput } from "../terminal/log-output";
import { noteStatus } from "./endings";
import { lookAtAccount, sawGone } from "./look";
import type { StackView, WithRun } from "./stack-view";

/** How to wait for a run, and what to print meanwhile. */
export interface RunWait {
  /** All of the stack. */
  readonly whole: StackView;
  /** Print nothing but how it ended. */
  readonly quiet?: boolean;
  /** Print every byte of the log as training wrote it. */
  readonly raw?: boolean;
  /** Others are waited for at the same time: several logs at once would be none. */
  readonly several: boolean;
  readonly signal?: AbortSignal;
}

/** Waits until a run has ended, and prints how. Gives its last status, and whether it finished without a doubt. */
export async function waitForRun(
  view: WithRun,
  { whole, quiet, raw, several, signal }: RunWait,
): Promise<{ readonly status: RunStatus; readonly isWell: boolean }> {
  const { access, run: plan } = view;
  const { experiment } = plan;
  const output = quiet === true || several ? undefined : logOutput({ raw });
  const status = await waitForEnd(
    access,
    { experiment },
    { onChunk: output?.take, isGone: async () => sawGone(await lookAtAccount(whole), view), signal },
  );
  await output?.end();
  const { state, exitCode, detached } = status;
  const why = detached === undefined ? "" : `: training detached itself (${detached}) and was ended`;
  const at = several ? ` on ${view.machine}` : "";
  console.log(`${experiment}${at}: ${state}${exitCode === undefined ? "" : ` (exit status ${exitCode})`}${why}`);
  const doubt = doubtText(status);
  if (doubt !== undefined) console.log(doubt);
  for (const line of elsewhereLines(status.writtenElsewhere)) console.log(line);
  noteStatus(view, status);
  await tellOfRuns(whole, [{ job: view, status }]);
  return { status, isWell: state === "finished" && doubt === undefined };
}
