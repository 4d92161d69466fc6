import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { dirname, join } from "node:path";
import { projectFolder } from "../../local/paths";
import { lastName } from "../../local/stack-name";
import { onlyMachine } from "../../plan/types";
import type { SshAccess } from "../../remote/types";
import { CommandError, exitCodes } from "../terminal/command";
import type { MachineView } from "./stack-view";

/**
 * Files for the OpenSSH client in ~/.ssh/lambda-train, for this user alone: for each stack a configuration, the login's
 * private key and the host key that is pinned. They are there from `ssh-config` until `down` or `ssh-config --remove`.
 */
const folder = (): string => join(homedir(), ".ssh", "lambda-train");

/** The line by which OpenSSH reads them. */
export const includeLine = (): string => `Include ${quoted(join(folder(), "*.conf"))}`;

const userConfig = (): string => join(homedir(), ".ssh", "config");

const owner = (stack: string): string => `# Stack ${stack} of ${projectFolder()}, made by lambda-train.`;

/** The lines with which the configuration of a machine begins. */
const headOf = (stack: string, machine: string): string[] => [
  owner(stack),
  ...(machine === onlyMachine ? [] : [`# Machine ${machine}.`]),
];

/** The host name of a machine where none was chosen. */
export function defaultAlias(stack: string, machine: string): string {
  const name = lastName(stack);
  return machine === onlyMachine ? name : `${name}-${machine}`;
}

/** Names under which the files of the stack, or of one of its machines, are here. */
export function aliasesOf(stack: string, machine?: string): string[] {
  if (!existsSync(folder())) return [];
  const names = readdirSync(folder()).filter((name) => name.endsWith(".conf"));
  const head = machine === undefined ? `${owner(stack)}\n` : [...headOf(stack, machine), "Host "].join("\n");
  return names
    .filter((name) => readFileSync(join(folder(), name), "utf8").startsWith(head))
    .map((name) => name.slice(0, -".conf".length));
}

/**
 * Writes the files of a machine under a host name.
 * @throws CommandError where the name is no host name, or is taken.
 */
export function writeSshFiles(stack: string, machine: string, alias: string, access: SshAccess): void {
  checkAlias(stack, alias);
  mkdirSync(folder(), { recursive: true, mode: 0o700 });
  chmodSync(folder(), 0o700);
  const path = (ending: string): string => join(folder(), `${alias}.${ending}`);
  // The name that ssh looks up in place of the address, which the next instance may not have.
  const hostKeyAlias = `lambda-train-${alias}`;
  const privateKey = access.privateKey.endsWith("\n") ? access.privateKey : `${access.privateKey}\n`;
  writeWhole(path("key"), privateKey);
  writeWhole(path("known_hosts"), `${hostKeyAlias} ${access.hostKey.trim()}\n`);
  const settings = {
    HostName: access.host,
    Port: String(access.port),
    User: access.user,
    IdentityFile: quoted(path("key")),
    IdentitiesOnly: "yes",
    IdentityAgent: "none",
    PreferredAuthentications: "publickey",
    HostKeyAlias: hostKeyAlias,
    UserKnownHostsFile: quoted(path("known_hosts")),
    GlobalKnownHostsFile: "/dev/null",
    StrictHostKeyChecking: "yes",
    UpdateHostKeys: "no",
    ForwardAgent: "no",
    ServerAliveInterval: "15",
    ServerAliveCountMax: "4",
  };
  const lines = Object.entries(settings).map(([key, value]) => `  ${key} ${value}`);
  writeWhole(path("conf"), [...headOf(stack, machine), `Host ${alias}`, ...lines, ""].join("\n"));
}

function checkAlias(stack: string, alias: string): void {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(alias)) {
    throw new CommandError(`${alias} is no host name: letters, digits, dots, - and _ alone.`, exitCodes.usage);
  }
  const conf = join(folder(), `${alias}.conf`);
  const other = "choose another name with --alias";
  if (existsSync(conf) && !readFileSync(conf, "utf8").startsWith(`${owner(stack)}\n`)) {
    throw new CommandError(`${conf} is another stack's; ${other}.`, exitCodes.usage);
  }
  const hosts = userConfigText().match(/^\s*host[ \t=]+.*$/gim) ?? [];
  if (
    hosts.some((line) =>
      line
        .trim()
        .split(/[\s="]+/)
        .includes(alias),
    )
  ) {
    throw new CommandError(`${userConfig()} has a host ${alias} already; ${other}.`, exitCodes.usage);
  }
}

/** Removes a stack's files, and the line that includes them where no stack has any left. Gives the names removed. */
export function removeSshFiles(stack: string): string[] {
  const aliases = aliasesOf(stack);
  for (const alias of aliases) {
    for (const ending of ["conf", "key", "known_hosts"]) rmSync(join(folder(), `${alias}.${ending}`), { force: true });
  }
  if (existsSync(folder()) && readdirSync(folder()).length === 0) {
    rmSync(folder(), { recursive: true });
    if (isIncluded()) {
      const rest = userConfigText()
        .split("\n")
        .filter((line) => line.trim() !== includeLine());
      writeWhole(realpathSync(userConfig()), rest.join("\n"));
    }
  }
  return aliases;
}

/** Rewrites the files of a machine, if it has any: the instance may be another one. */
export function refreshSshFiles(stack: string, { machine, access }: MachineView): void {
  if (access === undefined) return;
  for (const alias of aliasesOf(stack, machine)) writeSshFiles(stack, machine, alias, access);
}

/** Whether OpenSSH reads the files. */
export function isIncluded(): boolean {
  return userConfigText()
    .split("\n")
    .some((line) => line.trim() === includeLine());
}

/** Puts the line into ~/.ssh/config, first, since what follows a `Host` belongs to that host. */
export function install(): void {
  if (isIncluded()) return;
  const path = existsSync(userConfig()) ? realpathSync(userConfig()) : userConfig();
  writeWhole(path, `${includeLine()}\n${userConfigText()}`);
}

function userConfigText(): string {
  return existsSync(userConfig()) ? readFileSync(userConfig(), "utf8") : "";
}

/** Whole or not at all, for this user alone. */
function writeWhole(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const temporary = `${path}.${process.pid}`;
  writeFileSync(temporary, text, { mode: 0o600 });
  renameSync(temporary, path);
}

function quoted(path: string): string {
  return /[\s"]/.test(path) ? `"${path}"` : path;
}
