import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { backendFolder, stateFile } from "./local-state";
import { projectName } from "./names";
import { pulumiOutput } from "./pulumi";

/** A state as it was at some time. Its secrets are encrypted with the stack's passphrase. */
export interface Backup {
  readonly file: string;
  /** ISO 8601. */
  readonly time: string;
  /** As `pulumi stack import` takes it. */
  readonly text: string;
}

/** Folders of Pulumi's file backend that hold states of a stack, and the names that they have there. */
function places(backend: string, stack: string): { readonly folder: string; readonly name: RegExp }[] {
  const root = join(backend, ".pulumi");
  const project = projectName();
  const exact = stack.replace(/[.]/g, "\\.");
  return [
    { folder: join(root, "stacks", project), name: new RegExp(`^${exact}\\.json(\\.gz)?(\\.bak)?$`) },
    { folder: join(root, "backups", project, stack), name: /\.json(\.gz)?$/ },
    { folder: join(root, "history", project, stack), name: /\.checkpoint\.json(\.gz)?$/ },
  ];
}

/**
 * States of a stack that the file backend still holds, newest first: the last one, the one before each change, and those
 * of its history. They outlive `pulumi stack rm`. Another kind of backend has none that could be read here.
 */
export function backupsOf(stack: string, backend?: string): Backup[] {
  const folder = backendFolder(backend);
  if (folder === undefined) return [];
  const found = places(folder, stack).flatMap(({ folder: place, name }) =>
    list(place).flatMap((file) => (name.test(file) ? readBackup(join(place, file)) : [])),
  );
  return found.sort((a, b) => Date.parse(b.time) - Date.parse(a.time));
}

/** Reads a backup, or what `pulumi stack export` wrote. Empty where the file holds neither. */
export function readBackup(file: string): Backup[] {
  const { version = 3, deployment } = stored(file) ?? {};
  if (!Array.isArray(deployment?.resources)) return [];
  const text = JSON.stringify({ version, deployment });
  return [{ file, time: deployment.manifest?.time ?? new Date(0).toISOString(), text }];
}

/** The state of a stack as `pulumi stack export` prints it, secrets encrypted. A file is read without the CLI. */
export async function currentState(stack: string): Promise<string> {
  const file = stateFile(stack);
  const found = file === undefined ? undefined : stored(file);
  return found === undefined ? pulumiOutput(["stack", "export", "--stack", stack]) : JSON.stringify(found);
}

/** What a file of the backend, or of `pulumi stack export`, holds; undefined where that is no state. */
function stored(file: string): { readonly version?: number; readonly deployment: Deployment } | undefined {
  try {
    const bytes = readFileSync(file);
    const content = JSON.parse((bytes[0] === 0x1f ? gunzipSync(bytes) : bytes).toString()) as Stored;
    const deployment = content.checkpoint?.latest ?? content.deployment;
    return deployment === undefined ? undefined : { version: content.version, deployment };
  } catch {
    return undefined;
  }
}

interface Deployment {
  readonly manifest?: { readonly time?: string };
  readonly resources?: readonly unknown[];
}

interface Stored {
  readonly version?: number;
  readonly checkpoint?: { readonly latest?: Deployment };
  readonly deployment?: Deployment;
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
