import { duration } from "../../lambda/api/waiting";
import { money } from "../../lambda/billing/bill";
import { costOfAll } from "../../lambda/billing/forecast";
import { type Ending, knownEndings } from "./endings";
import { jobsOf, type MachineView, type StackView } from "./stack-view";

/** Right after its end, results are looked at and the next run is prepared: nobody needs a reminder yet. */
const graceMs = 5 * 60_000;

/** A machine whose every run has ended. */
interface Idle {
  readonly instance: NonNullable<MachineView["instance"]>;
  /** The end that came last. */
  readonly last: Ending;
}

/**
 * What is billed although its runs have ended, in one line; none where that isn't known. It is told by what commands have
 * seen before (see endings.ts), without another look.
 * @param now Milliseconds since the epoch.
 */
export function idleLine(view: StackView, now: number): string | undefined {
  const endings = knownEndings(view.stack);
  if (endings.length === 0) return undefined;
  const idle = view.machines.flatMap((machine) => idleOf(machine, view, endings));
  const last = Math.max(...idle.map((each) => each.last.at));
  const [first] = idle;
  if (first === undefined || now - last < graceMs) return undefined;
  const ago = duration((now - last) / 1000);
  const instances = idle.map(({ instance }) => instance);
  const spent = `${money(costOfAll(instances, now).dollars)} so far`;
  if (idle.length === 1) {
    const { experiment, state } = first.last;
    const ended = state === "stopped" ? "was stopped" : state;
    return `Instance ${first.instance.id} is still billed, ${ago} after ${experiment} ${ended}: ${spent}. \`npm run down\` ends it.`;
  }
  return (
    `${idle.length} instances are still billed, ${ago} after the last of their runs ended: ${spent}. ` +
    "`npm run down` ends them."
  );
}

function idleOf({ machine, instance }: MachineView, view: StackView, endings: readonly Ending[]): Idle[] {
  const runs = jobsOf(view).filter((job) => job.machine === machine && job.run !== undefined);
  if (instance === undefined || runs.length === 0) return [];
  const found = runs.map(({ run, attempt = 0 }) =>
    endings.find(
      (each) =>
        // A later `up`, perhaps of another machine, has started it again.
        each.instance === instance.id && each.experiment === run?.experiment && (each.attempt ?? attempt) >= attempt,
    ),
  );
  const ended = found.filter((each) => each !== undefined);
  const [last] = ended.toSorted((a, b) => b.at - a.at);
  return last === undefined || ended.length < found.length ? [] : [{ instance, last }];
}
