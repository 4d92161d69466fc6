import { cpSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { TestCloud } from "./cloud";
import type { Project } from "./project";

/** Changes of the experiment file, by section. */
export interface TinyChanges {
  readonly experiment?: string;
  readonly workload?: object;
  readonly dataset?: object;
  /** Laid over the workload's config: `steps`, `seconds_per_step`, `fail_at`. */
  readonly overrides?: Readonly<Record<string, number>>;
  readonly train?: object;
  readonly checkpoints?: object;
  readonly gate?: object;
  readonly environment?: object;
  readonly sweep?: object;
  readonly evaluate?: object;
  readonly results?: object;
  /** Keys of the stack's file. */
  readonly stack?: Readonly<Record<string, unknown>>;
}

/** Puts a workload that trains in seconds into a project, and the experiment file that names it. */
export function useTinyWorkload(project: Project, changes: TinyChanges = {}): void {
  cpSync(join(__dirname, "../fixtures/tiny"), join(project.folder, "tiny"), { recursive: true });
  const lines = (from: number): string =>
    Array.from({ length: 5 }, (_, i) => `[${from + i}, ${3 * (from + i)}]`).join("\n");
  project.write("tiny-data/train/a b.jsonl", lines(1));
  project.write("tiny-data/valid/x.jsonl", lines(6));
  project.write("tiny-data/test/ünï.jsonl", lines(11));
  configureTiny(project, changes);
}

/** A stack of the tiny workload, with an emulated cloud that runs; nothing is up yet. */
export async function startTinyStack(project: Project, changes: TinyChanges = {}): Promise<TestCloud> {
  useTinyWorkload(project, changes);
  await project.init();
  return TestCloud.start(project);
}

/** Writes the experiment file anew. */
export function configureTiny(project: Project, changes: TinyChanges = {}): void {
  const experiment = {
    experiment: changes.experiment ?? "tiny-v1",
    workload: changes.workload ?? { source: "tiny" },
    dataset: changes.dataset ?? { source: "tiny-data" },
    environment: { ...changes.environment },
    gate: { gpu: "optional", minDiskGiB: 0, modules: ["yaml"], ...changes.gate },
    train: { overrides: changes.overrides ?? {}, graceSeconds: 10, firstStepTimeoutMinutes: 1, ...changes.train },
    ...(changes.sweep && { sweep: changes.sweep }),
    ...(changes.checkpoints && { checkpoints: changes.checkpoints }),
    ...(changes.evaluate && { evaluate: changes.evaluate }),
    ...(changes.results && { results: changes.results }),
  };
  project.write("configs/tiny.yaml", stringify(experiment));
  project.configure({ experiment: "configs/tiny.yaml", ...changes.stack });
}
