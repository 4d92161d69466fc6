import type { NoticeEvent } from "../../plan/notify";
import type { RunStatus } from "../../remote/types";
import { type Limit, type Verdict, warnFrom } from "../stack/limits";
import { runStatus } from "../stack/look";
import { rawStackConfig } from "../stack/pulumi";
import { stackView } from "../stack/read";
import type { StackView } from "../stack/stack-view";
import { Memory } from "./memory";
import { noticeOf } from "./notice";
import { send } from "./send";
import { targetsOf } from "./targets";

/** Something to tell of. */
interface News {
  readonly event: NoticeEvent;
  /** In words: `training has started`. */
  readonly what: string;
  /** What makes it the same or another: the start of the run, or the limit. */
  readonly of?: string | number;
}

/** What there is to tell of a run, the oldest first. */
function newsOf({ state, attempt, firstStepAt, exitCode, stopReason, lastLine, detached, doubt }: RunStatus): News[] {
  const started: News[] =
    firstStepAt === undefined ? [] : [{ event: "started", what: "training has started", of: attempt }];
  if (state === "finished" && doubt !== undefined) {
    return [...started, { event: "failed", what: `training ended with status 0, but ${doubt}`, of: attempt }];
  }
  if (state === "finished") return [...started, { event: "finished", what: "training has finished", of: attempt }];
  if (state === "stopped" && stopReason !== undefined) {
    return [...started, { event: "finished", what: `training was stopped (${stopReason})`, of: attempt }];
  }
  if (state !== "failed") return started;
  if (detached !== undefined) {
    const what = `training detached itself and was ended: ${detached}`;
    return [...started, { event: "failed", what, of: attempt }];
  }
  const why = exitCode === undefined ? "" : ` with status ${exitCode}`;
  return [...started, { event: "failed", what: `training failed${why}: ${lastLine ?? "no log"}`, of: attempt }];
}

/** Tells of a run what has not been told yet. */
export function tellOfRun(view: StackView, status: RunStatus | undefined): Promise<void> {
  return status === undefined ? Promise.resolve() : tell(view, newsOf(status));
}

/** Tells of a look at limits: of 80 % of the budget, and of any limit that is reached, each once. */
export function tellOfLimits(
  view: StackView,
  { outcome, reason, limits }: Verdict & { limits: readonly Limit[] },
): Promise<void> {
  const budget = limits.find((limit) => limit.reason === "budget" && limit.used >= warnFrom);
  const news: News[] = [];
  if (budget !== undefined) news.push({ event: "budget", what: `80 % of the budget is spent, ${budget.text}` });
  if (outcome === "limit") {
    const text = limits.find((limit) => limit.reason === reason)?.text;
    news.push({
      event: "limit",
      what: `its limit is reached (${reason}${text === undefined ? "" : `, ${text}`})`,
      of: reason,
    });
  }
  return tell(view, news);
}

/** Tells that the instance was terminated, if it was: a preview or a part of a destroy ends well too. Never fails. */
export function tellAfterDown(before: StackView): Promise<void> {
  return quietly(async () => {
    const { instance } = await stackView(before.stack);
    if (instance !== undefined) return;
    await tell(before, [{ event: "terminated", what: "the instance is terminated" }]);
  });
}

/** Looks at a stack after an `up`, and sends notifications about its run. Never fails. */
export async function tellAfterUp(stack: string): Promise<void> {
  if (!wantsNotices(stack)) return;
  await quietly(async () => {
    const view = await stackView(stack);
    const status = await runStatus(view);
    if (status !== undefined && "state" in status) await tellOfRun(view, status);
  });
}

/** Whether the stack names anybody to tell: where not, nothing is looked at for it. */
export function wantsNotices(stack: string): boolean {
  return rawStackConfig(stack).notify !== undefined;
}

/** Tells each target once of each. A notice that cannot be sent is a warning, and tried again at the next occasion. */
async function tell(view: StackView, news: readonly News[]): Promise<void> {
  const { stack, instance } = view;
  if (news.length === 0 || instance === undefined || !wantsNotices(stack)) return;
  await quietly(async () => {
    const targets = await targetsOf(stack);
    const memory = new Memory(stack);
    for (const { event, what, of } of news) {
      const key = [instance.id, view.run?.experiment, event, of].filter((part) => part !== undefined).join(" ");
      const notice = noticeOf(view, event, what);
      const open = targets.filter((target) => target.events.includes(event) && !memory.has(key, target));
      const ended = await Promise.allSettled(open.map((target) => send(target, notice)));
      for (const [i, { status, ...end }] of ended.entries()) {
        const target = open[i];
        if (target === undefined) continue;
        if (status === "fulfilled") memory.add(key, target);
        else
          warn(
            `couldn't notify ${target.name} that ${what}: ${((end as PromiseRejectedResult).reason as Error).message}`,
          );
      }
    }
  });
}

async function quietly(run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    warn(`couldn't notify anybody: ${(error as Error).message}`);
  }
}

function warn(line: string): void {
  console.error(`warning: notifications: ${line}`);
}
