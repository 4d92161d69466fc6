import { relative } from "node:path";
import { type BroughtHome, bringHome, homeNotes, homeText } from "../remote/results";
import { verifyResults } from "../remote/transfer/download";
import { keepBringingHome } from "./results/watch";
import { stackView } from "./stack/read";
import { type Choice, requireRun, resultsPlace } from "./stack/stack-view";
import { CommandError, choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";
import { printing } from "./terminal/listener";

const command = choosingCommand("results", "Downloads and verifies the results, during the run or after it.")
  .option("--verify <folder>", "check a folder of results against its manifest; download nothing")
  .option(
    "-w, --watch [seconds]",
    "download each new checkpoint until the run has ended (default: look every 60 s)",
    wholeNumber,
  );

interface Options extends Choice {
  readonly stack?: string;
  readonly verify?: string;
  readonly watch?: number | true;
}

run(async () => {
  command.parse();
  const { stack, verify: folder, watch, ...choice } = command.opts<Options>();
  if (folder !== undefined) return verify(folder);
  const view = requireRun(await stackView(stack), choice);
  const place = resultsPlace(view);
  const stop = new AbortController();
  if (watch !== undefined) process.once("SIGINT", () => stop.abort()).once("SIGTERM", () => stop.abort());
  const home =
    watch === undefined
      ? await printing(console.log, (listener) => bringHome(place, listener))
      : await keepBringingHome(place, {
          seconds: watch === true ? 60 : watch,
          stop: stop.signal,
          onHome: tell,
          onProgress: console.error,
        });
  if (home === undefined && !stop.signal.aborted) {
    throw new CommandError(`${view.run.experiment} has not been started yet.`, exitCodes.nothing);
  }
  if (home !== undefined && watch === undefined) tell(home);
  return exitCodes.ok;
});

/** What was told besides last: with --watch it is worth a line only where it is another. */
let notes = "";

function tell(home: BroughtHome): void {
  const { folder, unstable, status } = home;
  console.log(`${homeText(home, relative(process.cwd(), folder))} (run: ${status.state})`);
  const now = homeNotes(home).join("\n");
  if (now !== "" && now !== notes) console.log(now);
  notes = now;
  if (unstable.length > 0)
    console.log(`Changed during the download, so downloaded as they were: ${unstable.join(", ")}`);
}

async function verify(folder: string): Promise<number> {
  const { ok, files, missing, changed } = await verifyResults(folder);
  for (const path of missing) console.log(`missing ${path}`);
  for (const path of changed) console.log(`changed ${path}`);
  console.log(ok ? `${files} files match the manifest` : `${folder} doesn't match its manifest`);
  return ok ? exitCodes.ok : exitCodes.failed;
}
