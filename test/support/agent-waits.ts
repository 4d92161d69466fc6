import { expect } from "vitest";
import type { Project } from "./project";

/**
 * Shortens waits of the agent that a project's copy puts on instances, which a test would only sit out: seconds by file of
 * the agent and name there.
 */
export function shortenWaits(
  project: Project,
  files: Readonly<Record<string, Readonly<Record<string, number>>>>,
): void {
  for (const [file, waits] of Object.entries(files)) {
    const path = `scripts/agent/${file}`;
    let text = project.read(path);
    for (const [name, seconds] of Object.entries(waits)) {
      const line = new RegExp(`^${name} = \\d+$`, "m");
      expect(text, `${path} has ${name}`).toMatch(line);
      text = text.replace(line, `${name} = ${seconds}`);
    }
    project.write(path, text);
  }
}

/** After how long without an answer a machine of a training counts as lost, and how often checkpoints are copied. */
export const brieflyLost = { "nodes/watch.py": { LOST: 20, COPY: 3 } } as const;
