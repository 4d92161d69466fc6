import { readFileSync, readlinkSync } from "node:fs";
import { basename, resolve } from "node:path";
import { configFileVariable, stackFile } from "../../local/stack-file";

/**
 * The file that the CLI of this program reads for a stack's. The engine tells a program what is in it, not which it is: the
 * option is looked up at the CLI, which Linux alone shows. Elsewhere the variable alone is known.
 */
export function stackFileInUse(stack: string): string {
  const cli = cliAbove(process.ppid);
  if (cli === undefined) return stackFile(stack);
  const named = optionIn(cli.words) ?? process.env[configFileVariable];
  // The CLI counts a relative path from where it runs.
  return stackFile(stack, named && resolve(cli.folder, named));
}

interface Running {
  readonly words: readonly string[];
  readonly folder: string;
  readonly parent: number;
}

/** The CLI that a process was started by: between them is the language host. */
function cliAbove(pid: number): Running | undefined {
  for (let at: number | undefined = pid; at !== undefined && at > 1; ) {
    const running = processOf(at);
    if (running !== undefined && basename(running.words[0] ?? "") === "pulumi") return running;
    at = running?.parent;
  }
  return undefined;
}

function processOf(pid: number): Running | undefined {
  try {
    const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0").slice(0, -1);
    const [, parent = ""] = /^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return { words, folder: readlinkSync(`/proc/${pid}/cwd`), parent: Number(parent) };
  } catch {
    // Not Linux, or somebody else's process.
    return undefined;
  }
}

/** What `--config-file` says. The last one counts. */
function optionIn(words: readonly string[]): string | undefined {
  const option = "--config-file";
  const given = words.flatMap((word, at) => {
    if (word === option) return words[at + 1] ?? [];
    return word.startsWith(`${option}=`) ? word.slice(option.length + 1) : [];
  });
  return given.at(-1);
}
