import { CommandError } from "../terminal/command";

/**
 * Does something for each of several, side by side. One that fails keeps none of the others from its end.
 * @throws the error of the one that failed; of several, one that tells them all.
 */
export async function ofEach<T, R>(all: readonly T[], what: (each: T) => Promise<R>): Promise<R[]> {
  const settled = await Promise.allSettled(all.map(what));
  const failed = settled.flatMap((each) => (each.status === "rejected" ? [each.reason as Error] : []));
  const [first] = failed;
  if (first === undefined) return settled.flatMap((each) => (each.status === "fulfilled" ? [each.value] : []));
  if (failed.length === 1) throw first;
  const message = failed.map((each) => each.message).join("\n");
  throw first instanceof CommandError
    ? new CommandError(message, first.exitCode)
    : new Error(message, { cause: first });
}
