import { FileBytes } from "./bytes";
import { readEvents } from "./events";
import { readMlflowMetric } from "./mlflow-metric";
import { CurveCollector, type LoggedCurves } from "./points";
import { readWandbRun } from "./wandb-run";

type Reader = (bytes: FileBytes, curves: CurveCollector, isDue: () => boolean) => number;

/** `<run>/metrics/<name>`, where the name may have parts. */
const mlflow = /(?:^|\/)[0-9a-f]{32}\/metrics\/(.+)$/;
const wandb = /(?:^|\/)run-[^/]+\.wandb$/;

/** Whether a file is one of a logger: TensorBoard's, W&B's or MLflow's. By its path, with / in it. */
export function isLogged(path: string): boolean {
  return readerOf(path) !== undefined;
}

/** The folder by which files of a logger belong together. */
export function loggedFolder(path: string): string {
  const at = mlflow.exec(path)?.[1]?.length;
  const folder = at === undefined ? path : path.slice(0, -at - "/metrics/".length);
  return at === undefined ? folder.slice(0, Math.max(0, folder.lastIndexOf("/"))) : folder;
}

/** What was read of a file. */
export interface ReadLogged {
  readonly curves: LoggedCurves;
  /** What was not read, in words. */
  readonly lack?: string;
  readonly bytes: number;
}

/**
 * Reads a file of a logger, a block in memory at a time.
 * @param path By which it is known what it is.
 * @param until Milliseconds since the epoch: what is not read by then is told.
 * @throws where it can't be read
 */
export function readLogged(path: string, file: string, until: number): ReadLogged {
  const bytes = new FileBytes(file);
  try {
    const collector = new CurveCollector();
    const isDue = (): boolean => Date.now() > until;
    const at = readerOf(path)?.(bytes, collector, isDue) ?? bytes.size;
    const { curves, damaged } = collector;
    const lack =
      isDue() && at < bytes.size
        ? `only ${Math.floor((100 * at) / bytes.size)}% of it was read`
        : damaged > 0
          ? damagedText(damaged)
          : undefined;
    return { curves, bytes: bytes.size, ...(lack === undefined ? {} : { lack }) };
  } finally {
    bytes.close();
  }
}

function readerOf(path: string): Reader | undefined {
  if (path.slice(path.lastIndexOf("/") + 1).includes("tfevents")) return readEvents;
  if (wandb.test(path)) return readWandbRun;
  const name = mlflow.exec(path)?.[1];
  return name === undefined ? undefined : (bytes, curves, isDue) => readMlflowMetric(bytes, curves, isDue, name);
}

function damagedText(records: number): string {
  return records === 1 ? "1 damaged record was passed over" : `${records} damaged records were passed over`;
}
