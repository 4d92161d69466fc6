import { closeSync, openSync, readSync, statSync } from "node:fs";
import { join, posix } from "node:path";

/** A file of the workload that a shell command runs. */
export interface RunScript {
  /** Relative to the workload. */
  readonly path: string;
  /** `itself`: as a program. `shell`: by bash or sh, or sourced. */
  readonly by: "itself" | "shell";
  /** Nothing before it in the command could have made or changed it. */
  readonly isFirst: boolean;
}

/** Words before the program in a command. */
const passed = /^(?:\w+=\S*|sudo|exec|time|nohup|env|command|stdbuf|nice|-\S*)$/;
/** Programs that leave files as they are. */
const harmless = /^(?:cd|set|export|echo|true|:|yes|ulimit|umask|\w+=\S*)$/;

/**
 * The files that a command runs by name, as far as they can be told without a shell.
 * @param folder Folder in the workload in which the command runs.
 */
export function scriptsOf(command: string, folder = "."): RunScript[] {
  const found: RunScript[] = [];
  let at = folder;
  let isFirst = true;
  for (const part of command.replace(/\\\n/g, " ").split(/&&|\|\|?|[;&\n()]/)) {
    const words = part.trim().split(/\s+/);
    const start = words.findIndex((word) => !passed.test(word));
    const [program = "", ...rest] = start < 0 ? [] : words.slice(start).map(unquoted);
    if (program === "" || program.startsWith("#")) continue;
    if (program === "cd" && isPlain(rest[0])) at = posix.join(at, rest[0]);
    const byShell = /^(?:bash|sh|dash|source|\.)$/.test(program);
    const path = byShell ? scriptAmong(rest) : program;
    if (isPlain(path) && (byShell || path.includes("/"))) {
      const inside = posix.join(at, path);
      if (!inside.startsWith("..")) found.push({ path: inside, by: byShell ? "shell" : "itself", isFirst });
    }
    if (!harmless.test(program)) isFirst = false;
  }
  return found;
}

/** The script among a shell's words; undefined where it takes a command, or standard input. */
function scriptAmong(words: readonly string[]): string | undefined {
  const at = words.findIndex((word) => !/^[-+]/.test(word));
  const options = words.slice(0, at < 0 ? undefined : at);
  if (options.some((option) => /^-\w*[cs]/.test(option))) return undefined;
  // `-o pipefail` has a word of its own.
  return options.some((option) => /^[-+]\w*[oO]$/.test(option)) ? scriptAmong(words.slice(at + 1)) : words[at];
}

function unquoted(word: string): string {
  return /^(["'])(.*)\1$/.exec(word)?.[2] ?? word;
}

/** Whether a word is a path below where it stands, as it is. */
function isPlain(word: string | undefined): word is string {
  return word !== undefined && /^[\w./@%+,-]+$/.test(word) && !word.startsWith("/");
}

/** Folders with programs that no image of Ubuntu has. */
const foreign = /^\/(?:opt\/homebrew|opt\/local|Users|usr\/local\/opt|data\/data)\//;

/** Why a file can't run so on the instance, and what to do; undefined where nothing speaks against it. */
export function faultOf(folder: string, script: RunScript): { message: string; next: string } | undefined {
  const { path, by } = script;
  const file = join(folder, path);
  const info = statSync(file, { throwIfNoEntry: false });
  if (info?.isFile() !== true) return undefined;
  const content = headOf(file);
  if (content.includes(0) && !isUtf16(content)) return isExecutable(info.mode, by) ? undefined : notExecutable(path);
  const text = content.toString("utf8");
  const interpreter = /^\uFEFF?#!\s*(\S+)(?:[ \t]+(\S+))?/.exec(text);
  const isShell = by === "shell" || /(?:^|\/)(?:ba|da)?sh\r?$/.test(interpreter?.[2] ?? interpreter?.[1] ?? "bash");
  if (isUtf16(content)) return { message: `${path} is in UTF-16, which no shell reads`, next: "Save it in UTF-8" };
  if (isShell ? text.includes("\r\n") : by === "itself" && /^[^\n]*\r\n/.test(text)) {
    const message = `${path} has Windows line ends (CRLF), with which it doesn't run on the instance`;
    const next = `Convert it: sed -i 's/\\r$//' ${path} (in .gitattributes: *.sh text eol=lf)`;
    return { message, next };
  }
  if (by === "shell") return undefined;
  if (text.startsWith("\uFEFF#!") && !isShell) {
    const message = `${path} begins with a byte order mark, so that its first line isn't read as #!`;
    return { message, next: "Save it in UTF-8 without BOM" };
  }
  const program = interpreter?.[1] ?? "";
  if (foreign.test(program)) {
    const name = posix.basename(program);
    return {
      message: `${path} begins with #!${program}, a path of another machine`,
      next: `Write #!/usr/bin/env ${name}`,
    };
  }
  return isExecutable(info.mode, by) ? undefined : notExecutable(path, isShell);
}

function isExecutable(mode: number, by: RunScript["by"]): boolean {
  return by === "shell" || (mode & 0o100) !== 0;
}

function notExecutable(path: string, isShell = false): { message: string; next: string } {
  const other = isShell ? `, or run it by bash: bash ${path}` : "";
  return { message: `${path} isn't executable`, next: `Run chmod +x ${path} (git update-index --chmod=+x)${other}` };
}

function isUtf16(content: Buffer): boolean {
  return (content[0] === 0xff && content[1] === 0xfe) || (content[0] === 0xfe && content[1] === 0xff);
}

const headBytes = 1 << 20;

function headOf(file: string): Buffer {
  const buffer = Buffer.alloc(headBytes);
  const handle = openSync(file, "r");
  try {
    return buffer.subarray(0, readSync(handle, buffer));
  } finally {
    closeSync(handle);
  }
}
