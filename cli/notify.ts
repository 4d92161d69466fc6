import { send } from "../notices/send";
import { targetsOf } from "./notify/configured";
import { noticeOf } from "./notify/notice";
import { stackName } from "./stack/pulumi";
import { exitCodes, operatorCommand, run } from "./terminal/command";

const command = operatorCommand("notify", "Lists whom the stack notifies, and of which events.").option(
  "--test",
  "send each a test message; exit code 1 if one doesn't accept it",
);

run(async () => {
  command.parse();
  const options = command.opts<{ stack?: string; test?: boolean }>();
  const stack = await stackName(options.stack);
  const targets = await targetsOf(stack);
  if (targets.length === 0) {
    console.log(`Stack ${stack} notifies nobody: its configuration has no \`notify\` (docs/notifications.md).`);
    return exitCodes.nothing;
  }
  const notice = noticeOf({ stack, jobs: [] }, "test", "a test of its notifications", Date.now());
  let failed = false;
  for (const target of targets) {
    if (options.test !== true) console.log(`${target.name}: ${target.events.join(", ")}`);
    else {
      const why = await send(target, notice).then(
        () => undefined,
        (error: Error) => error.message,
      );
      console.log(`${target.name}: ${why === undefined ? "sent" : `not sent, ${why}`}`);
      failed ||= why !== undefined;
    }
  }
  return failed ? exitCodes.failed : exitCodes.ok;
});
