import { spawn } from "node:child_process";
import * as path from "node:path";
import { Command, InvalidArgumentError, Option } from "commander";
import { AdminClient } from "../emulator/admin-client";
import {
  emulatorArguments,
  emulatorCommand,
  ensureCloud,
  resetCloud,
  runningCloud,
  type StartOptions,
  stopCloud,
} from "../emulator/control";
import type { RunFile } from "../emulator/run-file";
import { localFolder } from "../local/paths";
import { exitCodes } from "./terminal/command";

/** `npm run cloud -- <command>`: the emulated cloud by hand. */

const localDir = localFolder();

const positive = (text: string): number => {
  const number = Number(text);
  if (!(number > 0)) throw new InvalidArgumentError("Give a number above 0.");
  return number;
};
const portNumber = (text: string): number => {
  const number = Number(text);
  if (!(Number.isInteger(number) && number >= 0 && number <= 65535))
    throw new InvalidArgumentError("Give a whole number from 0 (any free port) to 65535.");
  return number;
};

/** Ports separated by commas; none by an empty text. */
const portList = (text: string): number[] => {
  const ports = text.split(",").filter(Boolean).map(Number);
  if (!ports.every((port) => Number.isInteger(port) && port >= 1 && port <= 65535))
    throw new InvalidArgumentError("Give whole numbers from 1 to 65535, separated by commas.");
  return ports;
};

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

/** How to point any Lambda client at the cloud, without showing the key. */
function describe(run: RunFile): string {
  return [
    `API      ${run.url}`,
    `key      in ${path.join(localDir, "cloud", "cloud.json")} (apiKey)`,
    `SSH      port ${run.sshPort} of each instance's own address`,
    `time     ${run.timeScale} times as fast as Lambda`,
    `process  ${run.pid}, log in ${path.join(localDir, "cloud", "emulator.log")}`,
  ].join("\n");
}

async function start(options: StartOptions): Promise<void> {
  const cloud = await ensureCloud(localDir, options);
  say(cloud.started ? "The emulated cloud is up." : "The emulated cloud was already running.");
  say(describe(cloud));
}

async function stop(): Promise<void> {
  const didRun = await stopCloud(localDir);
  say(
    didRun
      ? "The emulated cloud is stopped. Its instances boot again when it starts."
      : "The emulated cloud is not running.",
  );
}

async function status(): Promise<void> {
  const run = await runningCloud(localDir);
  if (!run) {
    say("The emulated cloud is not running. Start it with `npm run cloud -- start`.");
    process.exitCode = exitCodes.nothing;
    return;
  }
  say(describe(run));
  const admin = new AdminClient(run.adminUrl);
  const [state, ledger] = await Promise.all([admin.state(), admin.ledger()]);
  for (const { id, name = "", status, instanceType, region, ip } of state.instances)
    say(`instance ${[id, name, status, instanceType, region, ip].filter(Boolean).join("  ")}`);
  for (const { id, name, region } of state.fileSystems) say(`file system ${id}  ${name}  ${region}`);
  say(`billed   $${(ledger.totalCents / 100).toFixed(2)} so far (emulated money)`);
}

async function reset(): Promise<void> {
  await resetCloud(localDir);
  say("The emulated cloud is stopped. Its state, instances and file systems are erased.");
}

async function run(options: StartOptions): Promise<void> {
  const running = await runningCloud(localDir);
  if (running)
    throw new Error(
      `The emulated cloud is already running, as process ${running.pid}. Stop it first: npm run cloud -- stop`,
    );
  const [program, ...rest] = emulatorCommand();
  const child = spawn(program, [...rest, ...emulatorArguments(localDir, options)], { stdio: "inherit" });
  // The terminal sends Ctrl-C to the emulator too; this process ends after it, with its status.
  process.on("SIGINT", () => {});
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  process.exitCode = await new Promise<number>((resolve) => child.once("exit", (code) => resolve(code ?? 1)));
}

const program = new Command("npm run cloud --")
  .description("Controls the emulated cloud: Lambda's API and its instances on this machine, for this project.")
  .showHelpAfterError()
  .exitOverride((error) => process.exit(error.exitCode === 0 ? exitCodes.ok : exitCodes.usage));

const withStartOptions = (command: Command): Command =>
  command
    .option("--port <number>", "port of the API on 127.0.0.1 (default: a free one)", portNumber)
    .option("--time-scale <number>", "speed relative to Lambda (default: as before, else 60)", positive)
    .option(
      "--host-ports <list>",
      "ports of this machine's 127.0.0.1 that instances reach there, such as 3128,8000 (default: as before, else none)",
      portList,
    )
    .addOption(
      new Option("--instances <kind>", "sandbox: real hosts with sshd; none: only in the API")
        .choices(["sandbox", "none"])
        .default("sandbox"),
    );

withStartOptions(program.command("start").description("start it in the background, unless it is running")).action(
  start,
);
withStartOptions(program.command("run").description("run it in the foreground until Ctrl-C")).action(run);
program.command("stop").description("stop it and every process of its instances; keep state and disks").action(stop);
program.command("status").description("show whether it is running, what it holds and what that cost").action(status);
program.command("reset").description("stop it and erase its state, instances and file systems").action(reset);

program.parseAsync().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = exitCodes.failed;
});
