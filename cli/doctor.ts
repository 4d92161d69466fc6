import { execFile } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { packageFolder } from "../local/paths";
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
  const ok = missing.length === 0;
  if (command.opts<{ json?: boolean }>().json === true) printJson({ ok, parts, watches: watchReports() });
  else {
    print(parts, missing);
    for (const line of watchLines(watchReports())) console.log(line);
  }
  return ok ? exitCodes.ok : exitCodes.failed;
});

/** Asks the bootstrap, which knows each part and needs none of them. */
async function inspect(): Promise<Part[]> {
  const bootstrap = join(packageFolder(), "engine", "bootstrap.mjs");
  const { stdout } = await promisify(execFile)(process.execPath, [bootstrap, "parts"]);
  return JSON.parse(stdout) as Part[];
}

function print(parts: readonly Part[], missing: readonly Part[]): void {
  const marks = { ok: "ok", missing: "MISSING", absent: "absent" };
  const widest = (texts: readonly string[]): number => Math.max(...texts.map(({ length }) => length)) + 2;
  const names = widest(parts.map(({ name }) => name));
  const versions = widest(parts.map(({ version }) => version ?? ""));
  for (const { name, state, version, source } of parts) {
    const line = [marks[state].padEnd(9), name.padEnd(names), (version ?? "").padEnd(versions), source ?? ""];
    console.log(line.join("").trimEnd());
  }
  const remedies = missing.map(({ name, remedy }) => `  ${name}: ${remedy}`);
  console.log(missing.length === 0 ? "\nNothing is missing." : `\nTo install the rest:\n${remedies.join("\n")}`);
}
