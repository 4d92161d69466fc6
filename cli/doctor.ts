import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageFolder, projectFolder } from "../local/paths";
import { table } from "../local/table";
import { type Backend, backendHere, stackRows } from "./stack/backend";
import { exitCodes, operatorCommand, run } from "./terminal/command";
import { printJson } from "./terminal/output";
import { watchLines, watchReports } from "./watching/report";

/** A thing that the project runs on, as engine/bootstrap/parts.mjs tells it. */
interface Part {
  readonly name: string;
  /** `missing`: needed and not there; `absent`: not there, and not needed as things are. */
  readonly state: "ok" | "missing" | "absent";
  readonly version?: string;
  readonly source?: string;
  /** The command that installs it. */
  readonly remedy?: string;
}

const description =
  "Lists the parts that the project runs on, with version and source, and what is missing; and what `watch -- --install` has installed.";
const command = operatorCommand("doctor", description).option("--json", "print one JSON object");

run(async () => {
  command.parse();
  const parts = await inspect();
  const missing = parts.filter(({ state }) => state === "missing");
  const isProject = hasProject();
  const backend = hasPulumi(parts) && isProject ? await backendHere().catch(unreachable) : undefined;
  const watches = isProject ? watchReports() : [];
  const ok = missing.length === 0 && !(backend !== undefined && "error" in backend);
  if (command.opts<{ json?: boolean }>().json === true) printJson({ ok, parts, watches, ...(backend && { backend }) });
  else {
    print(parts, missing);
    if (backend !== undefined) printBackend(backend);
    if (isProject) for (const line of watchLines(watches)) console.log(line);
  }
  return ok ? exitCodes.ok : exitCodes.failed;
});

/** Why nothing is known of the backend. */
interface Unreachable {
  readonly error: string;
}

function unreachable({ message }: Error): Unreachable {
  return { error: message };
}

/** Only the CLI knows the backend. */
function hasPulumi(parts: readonly Part[]): boolean {
  return parts.some(({ name, state }) => name === "Pulumi CLI and engine" && state === "ok");
}

/** Before `init` there is none, and no stack. */
function hasProject(): boolean {
  try {
    return projectFolder() !== "";
  } catch {
    return false;
  }
}

/** Asks the bootstrap, which knows each part and needs none of them. */
async function inspect(): Promise<Part[]> {
  const bootstrap = join(packageFolder(), "engine", "bootstrap.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [bootstrap, "parts"]);
  return JSON.parse(stdout) as Part[];
}

function print(parts: readonly Part[], missing: readonly Part[]): void {
  const marks = { ok: "ok", missing: "MISSING", absent: "absent" };
  const rows = parts.map(({ name, state, version, source }) => [marks[state], name, version ?? "", source ?? ""]);
  for (const line of table(rows)) console.log(line);
  const remedies = missing.map(({ name, remedy }) => `  ${name}: ${remedy}`);
  console.log(missing.length === 0 ? "\nNothing is missing." : `\nTo install the rest:\n${remedies.join("\n")}`);
}

function printBackend(backend: Backend | Unreachable): void {
  if ("error" in backend) {
    console.log(`\nThe backend can't be read: ${backend.error}`);
    return;
  }
  console.log(`\nStates are at ${backend.url}, as ${backend.user}.`);
  const stacks = table(stackRows(backend)).map((line) => `  ${line}`);
  console.log(stacks.length === 0 ? "There is no stack of this project yet." : stacks.join("\n"));
}
