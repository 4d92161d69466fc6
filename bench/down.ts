import { TestCloud } from "../test/support/cloud";
import { Project } from "../test/support/project";
import { useTinyWorkload } from "../test/support/tiny";
import { report } from "./figures";
import { medians } from "./rounds";

/**
 * What `npm run down` takes beside the bytes that it moves: results of a few kilobytes are fetched and verified, and all
 * that was rented is ended.
 */
const rounds = 3;

async function main(): Promise<void> {
  const project = new Project("bench");
  try {
    useTinyWorkload(project, { overrides: { steps: 3 } });
    await project.init();
    await TestCloud.start(project);
    const up = async (): Promise<void> => {
      await project.succeeds("up");
      await project.run("wait");
    };
    const down = async (): Promise<undefined> => {
      await project.succeeds("down", ["--keep-cloud"]);
      return undefined;
    };
    const took = (await medians([{ name: "down", prepare: up, run: down }], rounds)).get("down") ?? Number.NaN;
    const what = "npm run down, with results of a few kilobytes";
    report({ part: "Down", what, value: took, unit: "s", goal: { atMost: 3 }, from: "median" });
  } finally {
    await project.dispose();
  }
}

main().catch((error: unknown) => {
  console.error(error);
  process.exitCode = 1;
});
