import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { verifyResults } from "../../remote/transfer/download";
import { Project } from "../support/project";
import { blocksOf } from "./blocks";
import { runBlock } from "./shell";

/** The tutorial as a reader goes through it: the embedded default, the reference workload, every command. */
describe("the tutorial", () => {
  const project = new Project("dev");
  afterAll(() => project.dispose());

  for (const block of blocksOf("docs/tutorial.md")) {
    it(`line ${block.line}: ${block.text}`, { timeout: 480_000 }, async () => {
      const output = await runBlock(project, block);
      expect(output).not.toMatch(/npm (ERR|error)/);
      if (block.text.includes("stack output metrics")) expect(output).toContain("token_error_rate");
    });
  }

  it("has trained a model that is better than chance, and its results are at home", async () => {
    const results = join(project.folder, "results", "dev", "lambda-run-v1");
    expect(await verifyResults(results)).toMatchObject({ ok: true });
    const evaluation = JSON.parse(readFileSync(join(results, "metrics", "evaluation.json"), "utf8"));
    expect(evaluation.token_error_rate).toBeLessThan(evaluation.chance.token_error_rate / 2);
  });
});
