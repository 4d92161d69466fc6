import { afterAll, afterEach, describe, it } from "vitest";
import { nameOf } from "./case";
import { allCases } from "./cases";
import { chosen } from "./options";
import { Trainings } from "./run-case";

/** Repositories that nobody wrote for this stack: what their training writes comes home, whatever they are shaped like. */
describe("a repository, from up to down", { timeout: 300_000 }, () => {
  let trainings: Trainings | undefined;
  const end = async (): Promise<void> => {
    await trainings?.dispose();
    trainings = undefined;
  };
  afterAll(end);

  // Vitest tells of a file's tests only at its end.
  afterEach(({ task }) => {
    const { state = "fail", errors = [] } = task.result ?? {};
    const reason = errors.map(({ message }) => `: ${message.split("\n")[0]}`).join("");
    if (process.env.FOREIGN === "all") process.stdout.write(`${state.padEnd(4)} ${task.name}${reason}\n`);
  });

  it.each(chosen(allCases).map((one) => [nameOf(one), one] as const))("%s", async (_, one) => {
    trainings ??= await Trainings.open();
    try {
      await trainings.train(one);
    } catch (error) {
      // The next one must not begin with what this one has left.
      await end();
      throw error;
    }
  });
});
