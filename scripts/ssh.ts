import { SshSession } from "../remote/session";
import { operatorCommand, run } from "./lib/command";
import { requireInstance, stackView } from "./lib/stack-view";

const command = operatorCommand("ssh", "A shell on the instance, or a command run there.").argument(
  "[command...]",
  "command to run instead of a shell",
);

run(async () => {
  command.parse();
  const { access } = requireInstance(await stackView(command.opts<{ stack?: string }>().stack));
  const session = await SshSession.connect(access);
  try {
    if (command.args.length === 0) return (await session.attach("exec $SHELL -l")).code;
    const { code } = await session.exec(command.args.join(" "), {
      onStdout: (chunk) => void process.stdout.write(chunk),
      onStderr: (chunk) => void process.stderr.write(chunk),
    });
    return code;
  } finally {
    session.close();
  }
});
