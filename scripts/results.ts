import { relative } from "node:path";
import { bringHome } from "../remote/results";
import { verifyResults } from "../remote/transfer/download";
import { CommandError, exitCodes, operatorCommand, run } from "./lib/command";
import { printing } from "./lib/listener";
import { requireRun, resultsPlace, stackView } from "./lib/stack-view";

const command = operatorCommand(
  "results",
  "Downloads the results now, while the run goes on or after, and verifies them.",
).option("--verify <folder>", "check a folder of results against its manifest, and download nothing");

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; verify?: string }>();
  if (options.verify !== undefined) {
    const { ok, files, missing, changed } = await verifyResults(options.verify);
    for (const path of missing) console.log(`missing ${path}`);
    for (const path of changed) console.log(`changed ${path}`);
    console.log(ok ? `${files} files are as the manifest says` : `${options.verify} is not as its manifest says`);
    return ok ? exitCodes.ok : exitCodes.failed;
  }
  const view = requireRun(await stackView(options.stack));
  const home = await printing(console.log, (listener) => bringHome(resultsPlace(view), listener));
  if (home === undefined) throw new CommandError(`${view.run.experiment} has not been started yet.`, exitCodes.nothing);
  const { folder, files, bytes, unstable, status } = home;
  console.log(
    `${files} files, ${(bytes / 1e6).toFixed(1)} MB verified in ${relative(process.cwd(), folder)} (run: ${status.state})`,
  );
  if (unstable.length > 0)
    console.log(`Written while they were read, so taken as far as they were: ${unstable.join(", ")}`);
  return exitCodes.ok;
});
