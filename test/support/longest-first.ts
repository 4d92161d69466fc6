import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Seconds that the long files took on two cores: a fresh clone has no cache of vitest's that would know them. */
const listed = JSON.parse(readFileSync(join(__dirname, "long-files.json"), "utf8")) as Record<string, number>;
/** What a file takes of which nothing is known. */
const usualSeconds = 5;

/**
 * Starts the files that take longest first, by vitest's cache or else by the list: a long one that starts last keeps one
 * worker busy alone.
 */
export default class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return files.toSorted((a, b) => this.secondsOf(b) - this.secondsOf(a));
  }

  private secondsOf(file: TestSpecification): number {
    const known = this.ctx.cache.getTestSpecificationResult(file);
    // One that failed may have ended early.
    if (known !== undefined && !known.failed && known.duration > 0) return known.duration / 1000;
    return listed[relative(join(__dirname, ".."), file.moduleId)] ?? usualSeconds;
  }
}
