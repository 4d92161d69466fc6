import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Project } from "../support/project";
import { startTinyStack } from "../support/tiny";

/** More than a call takes arguments. */
const side = 360;

describe("a dataset of very many files", { timeout: 180_000 }, () => {
  const project = new Project();
  beforeAll(async () => {
    await startTinyStack(project, { dataset: { source: "many", splits: ["train"] } });
    // Some hundred files, and links to their folder, stand for them all.
    const [one, train] = [join(project.folder, "one"), join(project.folder, "many/train")];
    mkdirSync(one);
    mkdirSync(train, { recursive: true });
    for (let i = 0; i < side; i++) {
      writeFileSync(join(one, `f${i}`), "");
      symlinkSync(one, join(train, `s${i}`));
    }
  });
  afterAll(() => project.dispose());

  it("is planned, and how far the reading is is told", async () => {
    const { code, output } = await project.pulumi(["preview"], { LAMBDA_TRAIN_STATUS_SECONDS: "1" });
    expect(code, output).toBe(0);
    expect(output).toMatch(/[\d,]+ files found|of 129,600 files, 0\.0 GB hashed/);
  });
});
