// JavaScript, as the configuration of vitest imports it.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { BaseSequencer } from "vitest/node";

/** Seconds that the long files took on two cores: a fresh clone has no cache of vitest's that would know them. */
const listed = JSON.parse(readFileSync(join(import.meta.dirname, "long-files.json"), "utf8"));
/** What a file takes of which nothing is known. */
const usualSeconds = 5;

/**
 * Starts the files that take longest first, by vitest's cache or else by the list: a long one that starts last keeps one
 * worker busy alone.
 */
export default class LongestFirst extends BaseSequencer {
  async sort(files) {
    return files.toSorted((a, b) => this.#secondsOf(b) - this.#secondsOf(a));
  }

  #secondsOf(file) {
    const known = this.ctx.cache.getTestSpecificationResult(file);
    // One that failed may have ended early.
    if (known !== undefined && !known.failed && known.duration > 0) return known.duration / 1000;
    return listed[relative(join(import.meta.dirname, ".."), file.moduleId)] ?? usualSeconds;
  }
}
