import { type RestoredRun, restoreRun } from "../../remote/restore/restore";
import { diffByName, sameValue } from "../dynamic/diff";
import type { DynamicHandler } from "../dynamic/handler";
import { localPath, type OnInstance } from "./place";

interface Inputs extends OnInstance {
  readonly run: RestoredRun;
  readonly workspace: string;
  readonly directory: string;
}

/** Life of what is put back: all of it is in the creation. */
export const handler: DynamicHandler<Inputs, Inputs> = {
  diff: (_id, olds, news) => {
    const diff = diffByName(olds, news, {
      replace: ["instanceId"],
      update: ["access", "run", "workspace", "directory"],
    });
    const renamed = !sameValue(olds.run.experiment, news.run?.experiment);
    return {
      ...diff,
      changes: diff.changes || renamed,
      replaces: [...(diff.replaces ?? []), ...(renamed ? ["run"] : [])],
    };
  },
  create: async (inputs, { progress, status }) => {
    const { instanceId, run, directory } = inputs;
    await restoreRun({ ...inputs, directory: localPath(directory) }, { progress, status });
    return { id: `${instanceId}:${run.experiment}`, outs: inputs };
  },
  update: async (_id, _olds, news) => news,
};
