import { serveDashboard } from "./page/server";
import { showWorkloadDashboard } from "./page/workload";
import { exitCodes, operatorCommand, run, wholeNumber } from "./terminal/command";

const command = operatorCommand(
  "dashboard",
  "Serves a page about the stack, its run and earlier experiments. Ctrl-C ends it.",
)
  .option("-p, --port <port>", "local port (default: a free one)", wholeNumber)
  .option("--workload", "open the workload's own dashboard instead, through an SSH tunnel");

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; port?: number; workload?: boolean }>();
  const interrupted = new Promise((resolve) => {
    process.once("SIGINT", resolve).once("SIGTERM", resolve);
  });
  const { stack, port = 0 } = options;
  if (options.workload === true) {
    await showWorkloadDashboard(stack, port, interrupted);
    return exitCodes.ok;
  }
  const { url, close } = await serveDashboard(stack, port);
  console.log(`${url}  (Ctrl-C ends it)`);
  await interrupted;
  await close();
  return exitCodes.ok;
});
