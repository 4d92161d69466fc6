import { spawn } from "node:child_process";
import { appendFileSync, mkdirSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { cacheFolder } from "./paths.mjs";

/**
 * Runs a program quietly and collects what it prints.
 * @param options `onLine` gets each line of stderr as it comes; `seconds` ends the program; `log` names a log file in the cache
 * @returns `{ code, output }`; code is null where it was ended, -1 where it could not be started
 */
export function quietly(program, args, { cwd, env, onLine, seconds, log } = {}) {
  return new Promise((resolve) => {
    const child = spawn(program, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let rest = "";
    const timer = seconds ? setTimeout(() => child.kill("SIGKILL"), seconds * 1000) : undefined;
    child.stdout.on("data", (data) => {
      output += data;
    });
    child.stderr.on("data", (data) => {
      output += data;
      const lines = (rest + data).split("\n");
      rest = lines.pop();
      if (onLine) for (const line of lines) onLine(line);
    });
    const end = () => child.kill();
    process.once("exit", end);
    const done = (code) => {
      clearTimeout(timer);
      process.removeListener("exit", end);
      if (log) keep(log, `$ ${program} ${args.join(" ")}\n${output}\n[exit ${code}]\n`);
      resolve({ code, output });
    };
    child.on("error", (error) => {
      output += error.message;
      done(-1);
    });
    child.on("close", done);
  });
}

/** Path of a log file in the cache. */
export function logPath(name) {
  return join(cacheFolder, "logs", `${name}.log`);
}

function keep(name, text) {
  mkdirSync(join(cacheFolder, "logs"), { recursive: true });
  appendFileSync(logPath(name), text);
}

/**
 * Runs a program in this terminal until it ends. Ctrl-C reaches it through the terminal's process group; a second one
 * sent from here would make Pulumi drop its work, so SIGINT is passed on only where no terminal did.
 * @returns its exit code, 128 + signal number where a signal ended it
 */
export function attached(program, args, { cwd, env }) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd, env, stdio: "inherit" });
    const terminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY;
    const handlers = {
      SIGINT: () => terminal || child.kill("SIGINT"),
      SIGTERM: () => child.kill("SIGTERM"),
      SIGHUP: () => child.kill("SIGHUP"),
    };
    for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
    child.on("error", reject);
    child.on("exit", (code, signal) => {
      for (const [name, handler] of Object.entries(handlers)) process.removeListener(name, handler);
      resolve(signal ? 128 + (constants.signals[signal] || 0) : code);
    });
  });
}
