import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

/**
 * Tells in a file, until this process ends, where it serves which plugin: a line for each with its name, its port, and the
 * number of this process. Where it cannot be written, each plugin gets a process of its own.
 * @param file In a folder of this user's alone: who can write there says whom the engine trusts.
 */
export function tellPorts(ports: ReadonlyMap<string, number>, file: string): void {
  try {
    mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    removeDead(dirname(file));
    const own = join(dirname(file), `.${basename(file)}`);
    writeFileSync(own, [...ports].map(([name, port]) => `${name} ${port} ${process.pid}\n`).join(""), { mode: 0o600 });
    renameSync(own, file);
    process.on("exit", () => rmSync(file, { force: true }));
  } catch {
    // See above.
  }
}

/** Removes what processes have left that were killed. */
function removeDead(folder: string): void {
  for (const name of readdirSync(folder).filter((each) => !each.startsWith("."))) {
    try {
      process.kill(Number(readFileSync(join(folder, name), "utf8").split(/\s/)[2]), 0);
    } catch {
      rmSync(join(folder, name), { force: true });
    }
  }
}
