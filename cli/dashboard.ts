import { serveDashboard } from "./page/server";
import { showWorkloadDashboard } from "./page/workload";
import { stackView } from "./stack/read";
import { type Choice, chosenJob } from "./stack/stack-view";
import { choosingCommand, exitCodes, run, wholeNumber } from "./terminal/command";

const command = choosingCommand(
  "dashboard",
  "Serves a page about the stack, its run and earlier experiments. Ctrl-C ends it.",
)
  .option("-p, --port <port>", "local port (default: a free one)", wholeNumber)
  .option("--workload", "open the workload's own dashboard instead, through an SSH tunnel");

run(async () => {
  command.parse();
  const options = command.opts<Choice & { stack?: string; port?: number; workload?: boolean }>();
  const interrupted = new Promise((resolve) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
  const { stack, port = 0 } = options;
  if (options.workload === true) {
    await showWorkloadDashboard(stack, options, port, interrupted);
    return exitCodes.ok;
  }
  const isChosen = (options.machine ?? options.run) !== undefined;
  const chosen = isChosen ? chosenJob(await stackView(stack), options, "run") : undefined;
  const { url, close } = await serveDashboard(stack, port, chosen?.name);
  console.log(`${url}  (Ctrl-C ends it)`);
  await interrupted;
  await close();
  return exitCodes.ok;
});
