/** The emulator's process: `node main.js --local FOLDER [--port N] [--time-scale N] [--host-ports N,…] [--instances sandbox|none]`. */
import * as fs from "node:fs";
import { parseArgs } from "node:util";
import { Cloud } from "./cloud";
import type { NetworkKind } from "./network/router/open";
import { AlreadyRunning, lockFolder } from "./process-lock";
import { cloudFolder, removeRunFile, writeRunFile } from "./run-file";

/** Exit status where another process runs this cloud already. */
const alreadyRunning = 75;

const log = (line: string): void => {
  try {
    fs.writeSync(process.stderr.fd, `${new Date().toISOString()} ${line}\n`);
  } catch {
    // A full disk, say, takes no line, and ends nothing.
  }
};

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      local: { type: "string" },
      port: { type: "string" },
      "time-scale": { type: "string" },
      "host-ports": { type: "string" },
      instances: { type: "string" },
    },
  });
  if (!values.local) throw new Error("--local FOLDER is missing: the project's local folder.");
  const local = values.local;
  const folder = cloudFolder(local);
  fs.mkdirSync(folder, { recursive: true, mode: 0o700 });
  await lockFolder(folder);

  const cloud = await Cloud.start({
    folder,
    log,
    // The run file tells callers the time scale.
    onSettings: () => publish(),
    ...(values.port && { port: Number(values.port) }),
    ...(values["time-scale"] && { timeScale: Number(values["time-scale"]) }),
    ...(values["host-ports"] !== undefined && {
      hostPorts: values["host-ports"].split(",").filter(Boolean).map(Number),
    }),
    network: networkKind(process.env.LAMBDA_TRAIN_CLOUD_NETWORK),
    ...(values.instances && { instances: values.instances === "none" ? "none" : "sandbox" }),
  });
  const publish = () =>
    writeRunFile(local, {
      url: cloud.url,
      adminUrl: cloud.adminUrl,
      apiKey: cloud.apiKey,
      sshPort: cloud.sshPort,
      timeScale: cloud.store.state.settings.timeScale,
      pid: process.pid,
    });
  publish();
  log(`The emulated cloud runs at ${cloud.url}, process ${process.pid}.`);

  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log(`${signal}: stopping. State and disks stay.`);
    removeRunFile(local);
    await cloud.stop();
    process.exit(0);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => void stop(signal));
}

/** The kind of network that the environment asks for; undefined where it asks for none. */
function networkKind(wanted: string | undefined): NetworkKind | undefined {
  if (wanted === undefined || wanted === "" || wanted === "own" || wanted === "shared") return wanted || undefined;
  throw new Error(`LAMBDA_TRAIN_CLOUD_NETWORK is ${JSON.stringify(wanted)}: must be own or shared.`);
}

main().catch((error: Error) => {
  log(error.message);
  process.exit(error instanceof AlreadyRunning ? alreadyRunning : 1);
});
