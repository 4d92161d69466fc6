import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import { withoutCredentials } from "../local/git/url";
import { packageFolder } from "../local/paths";
import type { DatasetSource, Job } from "../plan/types";

/** Which instance a run is started on. */
export interface StartedOn {
  readonly type: string;
  readonly region: string;
}

let known: string | undefined;

/** Version of this program. */
function release(): string {
  known ??= (JSON.parse(readFileSync(join(packageFolder(), "package.json"), "utf8")) as { version: string }).version;
  return known;
}

/**
 * What a run runs, as the instance keeps it with the attempt and the results' record tells it: where everything came from
 * and its hashes. No credentials of URLs; of variables the instance tells the names alone.
 */
export function provenanceOf(plan: Job, instance?: StartedOn): object {
  const { workload, dataset, environment, config, evaluation } = plan;
  return {
    release: release(),
    workload: {
      source: withoutCredentials(workload.source),
      commit: workload.commit,
      ref: workload.ref,
      changed: workload.changed,
      hash: workload.hash,
    },
    // States of earlier releases have null.
    dataset: dataset && { source: sourceText(dataset.source), hash: dataset.hash },
    environment: {
      manager: environment.manager,
      setup: environment.setup,
      file: environment.file,
      image: environment.image,
      hash: environment.hash,
    },
    config,
    evaluation: evaluation?.command,
    instance,
  };
}

/** A signed URL is a credential as well. */
function sourceText(source: DatasetSource): string {
  if (source.kind === "bucket") return source.url;
  if (source.kind === "hub") return posix.join(`hf://datasets/${source.repository}@${source.revision}`, source.path);
  return source.kind === "url" ? withoutCredentials(source.url).replace(/[?#].*$/, "") : source.path;
}
