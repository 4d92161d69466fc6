import { gunzipSync } from "node:zlib";
import { parse } from "yaml";
import { quote, writeFileLines } from "./shell";

/** What the start of an instance does, by stage; each is a bash script. See init.ts for when each runs. */
export interface StartScripts {
  readonly bootcmd?: string;
  readonly home: string;
  readonly config: string;
  readonly final?: string;
  /** Host name that user_data asks for. */
  readonly hostname?: string;
}

type Mapping = Record<string, unknown>;

/**
 * Turns user_data into the scripts of an instance's start, as cloud-init would act on it: `#cloud-config` with
 * ssh_keys, ssh_authorized_keys, users, write_files, bootcmd, runcmd and hostname, or one script with `#!`. What is not
 * understood is noted in the instance's /var/log/cloud-init-output.log and otherwise ignored, as real images do.
 *
 * @param userData as given at launch
 * @param authorizedKeys OpenSSH lines of the keys named at launch
 */
export function startScripts(userData: string | undefined, authorizedKeys: readonly string[]): StartScripts {
  const notes: string[] = [];
  const text = userData?.replace(/^\uFEFF/, "") ?? "";
  if (text.startsWith("#!")) {
    const script = "/var/lib/cloud/instance/scripts/part-001";
    const final = `${writeFileLines(script, Buffer.from(text), { mode: "0700" })} && exec ${script}`;
    return { home: homeScript(authorizedKeys, []), config: noteScript(notes), final };
  }
  const config = readCloudConfig(text, notes);
  const users = asList(config.users, "users", notes).filter(isMapping);
  const ubuntu = users.filter((user) => user.name === "ubuntu");
  for (const user of users)
    if (user.name !== "ubuntu") notes.push(`user '${user.name}' is not made: an emulated instance has ubuntu alone`);
  const keys = [config, ...ubuntu].flatMap((part) => asTexts(part.ssh_authorized_keys, "ssh_authorized_keys", notes));
  for (const key of Object.keys(config)) if (!known.has(key)) notes.push(`'${key}' of cloud-config is not honoured`);
  const parts = [...fileLines(config.write_files, notes), ...hostKeyLines(config.ssh_keys, notes)];
  const hostname = typeof config.hostname === "string" ? config.hostname : undefined;
  return {
    bootcmd: commandScript(config.bootcmd, "bootcmd", notes),
    home: homeScript(authorizedKeys, keys),
    final: commandScript(config.runcmd, "runcmd", notes),
    config: [noteScript(notes), "failed=0", ...parts.map((part) => `${part} || failed=1`), "exit $failed"].join("\n"),
    ...(hostname && /^[a-zA-Z0-9.-]{1,63}$/.test(hostname) && { hostname }),
  };
}

const known = new Set([
  "bootcmd",
  "fqdn",
  "hostname",
  "manage_etc_hosts",
  "preserve_hostname",
  "runcmd",
  "ssh_authorized_keys",
  "ssh_deletekeys",
  "ssh_keys",
  "users",
  "write_files",
]);

function readCloudConfig(text: string, notes: string[]): Mapping {
  if (text.trim() === "") return {};
  if (!/^#cloud-config\s*(\n|$)/.test(text)) {
    notes.push(`user_data starts with neither '#cloud-config' nor '#!' and is ignored: '${text.slice(0, 40)}'`);
    return {};
  }
  try {
    const config: unknown = parse(text);
    if (isMapping(config)) return config;
    if (config !== null) notes.push("cloud-config is no mapping and is ignored");
  } catch (error) {
    // The parser's message quotes the lines around the error, which may hold a key: keep its first line.
    notes.push(`Failed loading yaml blob, cloud-config is ignored: ${String((error as Error).message).split("\n")[0]}`);
  }
  return {};
}

function homeScript(launchKeys: readonly string[], userKeys: readonly string[]): string {
  const keys = [...launchKeys, ...userKeys].map((key) => `${key.trim()}\n`).join("");
  return [
    "mkdir -p -m 0700 /home/ubuntu/.ssh && cp -r /etc/skel/. /home/ubuntu/",
    writeFileLines("/home/ubuntu/.ssh/authorized_keys", Buffer.from(keys), { mode: "0600" }),
  ].join("\n");
}

const noteScript = (notes: readonly string[]): string =>
  notes.map((note) => `echo ${quote(`cloud-init: ${note}`)}`).join("\n");

function fileLines(value: unknown, notes: string[]): string[] {
  return asList(value, "write_files", notes).flatMap((item, index) => {
    if (!isMapping(item) || typeof item.path !== "string" || !item.path.startsWith("/")) {
      notes.push(`write_files.${index} needs a 'path' that starts with / and is ignored`);
      return [];
    }
    const content = decode(String(item.content ?? ""), String(item.encoding ?? "text/plain"));
    if (!content) {
      notes.push(`write_files.${index} cannot be decoded with encoding '${item.encoding}' and is ignored`);
      return [];
    }
    // YAML reads an unquoted 0644 as a number.
    const mode = typeof item.permissions === "number" ? item.permissions.toString(10) : item.permissions;
    return [writeFileLines(item.path, content, { mode: mode ? String(mode) : "0644", append: item.append === true })];
  });
}

function decode(content: string, encoding: string): Buffer | undefined {
  switch (encoding.toLowerCase()) {
    case "text/plain":
      return Buffer.from(content);
    case "b64":
    case "base64":
      return Buffer.from(content, "base64");
    case "gz+base64":
    case "gzip+base64":
    case "gz+b64":
    case "gzip+b64":
      try {
        return gunzipSync(Buffer.from(content, "base64"));
      } catch {
        return undefined;
      }
    default:
      return undefined;
  }
}

function hostKeyLines(value: unknown, notes: string[]): string[] {
  if (value === undefined) return [];
  if (!isMapping(value)) {
    notes.push("ssh_keys is no mapping and is ignored");
    return [];
  }
  return Object.entries(value).flatMap(([name, key]) => {
    const [, type, half] = /^(ed25519|ecdsa|rsa)_(private|public)$/.exec(name) ?? [];
    if (!type || typeof key !== "string") {
      notes.push(`ssh_keys.${name} is not honoured`);
      return [];
    }
    const file = `/etc/ssh/ssh_host_${type}_key${half === "public" ? ".pub" : ""}`;
    return [writeFileLines(file, Buffer.from(`${key.trim()}\n`), { mode: half === "private" ? "0600" : "0644" })];
  });
}

/** One script of all commands, as cloud-init makes it: a list is a command with its arguments, a text is shell. */
function commandScript(value: unknown, name: string, notes: string[]): string | undefined {
  const commands = asList(value, name, notes).flatMap((command) => {
    if (typeof command === "string") return [command];
    if (Array.isArray(command)) return [command.map((word) => quote(String(word))).join(" ")];
    notes.push(`${name} has an entry that is neither text nor list: ignored`);
    return [];
  });
  if (commands.length === 0) return undefined;
  const script = `#!/bin/sh\n${commands.join("\n")}\n`;
  const file = `/var/lib/cloud/instance/scripts/${name}`;
  return `${writeFileLines(file, Buffer.from(script), { mode: "0700" })} && exec ${file}`;
}

function asList(value: unknown, name: string, notes: string[]): unknown[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value;
  notes.push(`${name} is no list and is ignored`);
  return [];
}

const asTexts = (value: unknown, name: string, notes: string[]): string[] =>
  asList(value, name, notes).filter((item): item is string => typeof item === "string");

const isMapping = (value: unknown): value is Mapping =>
  typeof value === "object" && value !== null && !Array.isArray(value);
