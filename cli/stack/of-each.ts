import { atMost } from "../../local/at-most";
import { CommandError } from "../terminal/command";

/** Connections to machines that one command has at a time: a fleet may have a hundred. */
const mostAtOnce = 16;

/** Does something for each of several, so many of them at a time. */
export function sideBySide<T, R>(
  all: readonly T[],
  what: (each: T) => Promise<R>,
  most: number = mostAtOnce,
): Promise<R>[] {
  const inTurn = atMost(most);
  return all.map((each) => inTurn(() => what(each)));
}

/**
 * The same for what may fail. One that does keeps none of the others from its end.
 * @param most At a time. What lasts as long as a run does must not keep others waiting: `Number.POSITIVE_INFINITY`.
 * @throws the error of the one that failed; of several, one that tells them all.
 */
export async function ofEach<T, R>(
  all: readonly T[],
  what: (each: T) => Promise<R>,
  most: number = mostAtOnce,
): Promise<R[]> {
  const settled = await Promise.allSettled(sideBySide(all, what, most));
  const failed = settled.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
  const [first] = failed;
  if (first === undefined) return settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  if (failed.length === 1) throw first;
  const message = failed.map((each) => each.message).join("\n");
  throw first instanceof CommandError
    ? new CommandError(message, first.exitCode)
    : new Error(message, { cause: first });
}
