import { type CodeTree, walkCode } from "../local/folder/walk";
import { hashFolder, ownPaths } from "../local/paths";
import { callAgent } from "./agent";
import { uploadName } from "./scripts";
import type { SshSession } from "./session";
import { type Uploaded, uploadTree } from "./transfer/upload";

/** The workload's code on this machine, and its workspace, as the stack's last `up` uploaded it. */
export interface CodeHere {
  /** Folder of the workload, absolute. */
  readonly source: string;
  /** The workspace: its folder on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Files written besides the folder's own, path → content. */
  readonly extraFiles?: Readonly<Record<string, string>>;
  /** Files and folders of this machine that are code as well, path in the workspace → path as the user wrote it. */
  readonly files?: Readonly<Record<string, string>>;
  /** Paths in the workspace that are not code: dataset and outputs. */
  readonly protectedPaths: readonly string[];
}

/** Where `exec --sync` and `dev` bring code to, relative to the home folder. Nothing of it is seen by a run. */
export function devCopy(workspace: string): string {
  return `lambda-train/dev/${workspace}`;
}

/** The copy of the workspace that a job runs in, relative to the home folder. */
export function jobCopy(job: string, workspace: string): string {
  return `lambda-train/jobs/${job}/${workspace}`;
}

/** The code as it is now: what an upload of the stack would take. */
export function codeNow({ source, extraFiles, files, protectedPaths }: CodeHere): Promise<CodeTree> {
  return walkCode(source, { extraFiles, broughtFiles: ownPaths(files), protectedPaths, hashFolder: hashFolder() });
}

/**
 * Makes a folder on the instance a copy of the workspace with this code. Only what differs from the workspace, or from the
 * copy that is there, is sent. Dataset and what setup has made are linked.
 * @param outputs The workload's outputs folder, which the copy has for itself.
 */
export async function syncCopy(
  session: SshSession,
  { workspace, protectedPaths }: CodeHere,
  tree: CodeTree,
  { folder, outputs }: { readonly folder: string; readonly outputs: string },
): Promise<Uploaded> {
  const code = new Set<string>();
  for (const { path } of tree.entries()) code.add(path.split("/", 1)[0] ?? path);
  const linked = protectedPaths.filter((path) => path !== outputs);
  const document = { workspace, folder, linked, outputs, code: [...code] };
  await callAgent(session, { verb: "copy-place", document }, `Making ${folder}`, { timeoutSeconds: 600 });
  return uploadTree(session, { tree, remoteRoot: folder, name: uploadName(folder), protectedPaths });
}
