import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Finding, findingsIn, lockedPackages, readAdvisories } from "../local/advisories/match";
import { projectFolder } from "../local/paths";
import { table } from "../local/table";
import { CommandError, exitCodes, plainCommand, run } from "./terminal/command";
import { printJson } from "./terminal/output";

const description =
  "Checks the npm packages of package-lock.json against files of advisories, without a network. The files are OSV's " +
  "(osv.dev, GitHub's advisory database) or what GitHub's API of advisories gives: one advisory, a list, or JSON lines.";

const command = plainCommand("audit", description)
  .requiredOption("--advisories <files...>", "files of advisories")
  .option("--lock <file>", "lock file to check (default: the project's package-lock.json)")
  .option("--omit-dev", "leave out packages that development alone needs")
  .option("--json", "print one JSON object")
  .addHelpText("after", "\nExit codes: 0 nothing found, 1 a package has a known weakness, 2 a file can't be read.");

interface Options {
  readonly advisories: readonly string[];
  readonly lock?: string;
  readonly omitDev?: boolean;
  readonly json?: boolean;
}

run(async () => {
  command.parse();
  const { advisories: files, lock, omitDev, json } = command.opts<Options>();
  const all = reading(lock ?? join(projectFolder(), "package-lock.json"), lockedPackages);
  const packages = all.filter(({ dev }) => omitDev !== true || !dev);
  const advisories = files.flatMap((file) => reading(file, readAdvisories));
  const findings = findingsIn(packages, advisories);
  if (json === true) printJson({ packages: packages.length, advisories: advisories.length, findings });
  else print(findings, `packages: ${packages.length}, advisories: ${advisories.length}`);
  return findings.length === 0 ? exitCodes.ok : exitCodes.failed;
});

function reading<T>(file: string, read: (text: string) => T): T {
  try {
    return read(readFileSync(file, "utf8"));
  } catch (error) {
    throw new CommandError(`${file} can't be read: ${(error as Error).message}`, exitCodes.usage);
  }
}

function print(findings: readonly Finding[], checked: string): void {
  const rows = findings.map(({ locked: { name, version, dev }, advisory: { id, severity, fixed, summary } }) => [
    `${name} ${version}${dev ? " (development)" : ""}`,
    severity,
    id,
    fixed.length === 0 ? "no fix is known" : `fixed in ${fixed.join(", ")}`,
    summary,
  ]);
  if (rows.length > 0) console.log(table(rows).join("\n"));
  console.log(`${rows.length === 0 ? "No known weakness" : `Known weaknesses: ${rows.length}`} (${checked}).`);
}
