import { relative } from "node:path";
import type { BroughtHome } from "../remote/home";
import { bringHome, homeNotes, homeText, type ResultsPlace } from "../remote/results";
import { verifyResults } from "../remote/transfer/download";
import { syncLines } from "../remote/wandb-runs";
import { jobsBeside } from "./beside/jobs";
import { bringFromBucket } from "./results/from-bucket";
import { keepBringingHome } from "./results/watch";
import { ofEach } from "./stack/of-each";
import { stackName } from "./stack/pulumi";
import { type Choice, requireRuns, resultsPlace, type WithRun } from "./stack/stack-view";
import { isWorker, seenTrials, viewWithTrial } from "./sweep/trials";
import { CommandError, choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";
import { printing } from "./terminal/listener";

const command = choosingCommand(
  "results",
  "Downloads and verifies the results, during the run or after it: of all the stack's runs, or of the chosen one.",
)
  .option("--verify <folder>", "check a folder of results against its manifest; download nothing")
  .option(
    "--from-bucket",
    "download the newest results from results.bucket, of all trials or ranks, also without an instance",
  )
  .option(
    "-w, --watch [seconds]",
    "download each new checkpoint until the run has ended (default: look every 60 s)",
    wholeNumber,
  );

interface Options extends Choice {
  readonly stack?: string;
  readonly verify?: string;
  readonly watch?: number | true;
  readonly fromBucket?: boolean;
}

run(async () => {
  command.parse();
  const { stack, verify: folder, watch, fromBucket, ...choice } = command.opts<Options>();
  if (folder !== undefined) return verify(folder);
  if (fromBucket === true) return bringFromBucket(await stackName(stack));
  const views = requireRuns(await viewWithTrial(stack, choice.run), choice, true);
  const stop = new AbortController();
  if (watch !== undefined) process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  const homes = await ofEach(
    views,
    (view) => bring(view, watch, stop.signal),
    watch === undefined ? undefined : Number.POSITIVE_INFINITY,
  );
  if (homes.every((home) => home === undefined) && !stop.signal.aborted) {
    const names = [...new Set(views.map(({ run: { experiment } }) => experiment))];
    throw new CommandError(
      `${names.join(", ")} ${names.length > 1 ? "have" : "has"} not been started yet.`,
      exitCodes.nothing,
    );
  }
  return exitCodes.ok;
});

/** Brings the results of one run home, or of a sweep's trials on one machine: once, or again and again. */
async function bring(view: WithRun, watch: Options["watch"], stop: AbortSignal): Promise<BroughtHome | undefined> {
  const placesOf = async (): Promise<ResultsPlace[]> => {
    const trials = isWorker(view) ? await seenTrials(view) : [];
    const jobs = view.isJob === true ? [] : await jobsBeside(view);
    return [view, ...trials.map(({ trial }) => trial), ...jobs].map(resultsPlace);
  };
  // What was told besides last of each: with --watch it is worth a line only where it is another.
  const notes = new Map<string, string>();
  const tell = (home: BroughtHome): void => {
    const { experiment } = home.status;
    notes.set(experiment, tellOf(home, notes.get(experiment) ?? ""));
  };
  if (watch !== undefined) {
    const seconds = watch === true ? 60 : watch;
    return keepBringingHome(placesOf, { seconds, stop, onHome: tell, onProgress: console.error });
  }
  const homes = await printing(console.log, async (listener) =>
    ofEach(await placesOf(), (place) => bringHome(place, listener)),
  );
  for (const home of homes) if (home !== undefined) tell(home);
  return homes.find((home) => home !== undefined);
}

/** @returns what else was to be told of it. */
function tellOf(home: BroughtHome, notes: string): string {
  const { folder, unstable, status } = home;
  const shown = relative(process.cwd(), folder);
  console.log(`${homeText(home, shown)} (run: ${status.state})`);
  const now = [...homeNotes(home), ...syncLines(home.offlineRuns, folder, shown)].join("\n");
  if (now !== "" && now !== notes) console.log(now);
  if (unstable.length > 0)
    console.log(`Changed during the download, so downloaded as they were: ${unstable.join(", ")}`);
  return now;
}

async function verify(folder: string): Promise<number> {
  const { ok, files, missing, changed } = await verifyResults(folder);
  for (const path of missing) console.log(`missing ${path}`);
  for (const path of changed) console.log(`changed ${path}`);
  console.log(ok ? `${files} files match the manifest` : `${folder} doesn't match its manifest`);
  return ok ? exitCodes.ok : exitCodes.failed;
}
