import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { walkAll } from "../../local/folder/walk";
import { GitError } from "../../local/git/command";
import { writePortable } from "../../local/git/portable";
import { repositoriesIn } from "../../local/git/repository";
import { callAgent } from "../agent";
import type { SshSession } from "../session";
import type { SshAccess } from "../types";
import { onTarget, type TransferOptions } from "./retry";
import { uploadTree } from "./upload";

/** The code of which the repositories go along. */
export interface UploadRepositoriesOptions extends TransferOptions {
  /** The code's folder on this machine. */
  readonly folder: string;
  /** Its folder on the instance, relative to the home folder. */
  readonly workspace: string;
  /** Name of the code's upload, which must be in place. */
  readonly name: string;
  /** Paths in it that are not code. */
  readonly protectedPaths?: readonly string[];
  /** Paths in it that the plan gives other content. */
  readonly replaced?: readonly string[];
}

/**
 * Lets the code on the instance know its commit and version: a small repository goes into the workspace, and one into each
 * of its submodules. Code that no repository knows takes an earlier one away.
 */
export async function uploadRepositories(
  target: SshSession | SshAccess,
  options: UploadRepositoriesOptions,
): Promise<void> {
  const { folder, workspace, name, protectedPaths = [], replaced = [], ...transfer } = options;
  const { onProgress, onStatus } = transfer;
  onStatus?.("reading the commit");
  const prepared = mkdtempSync(join(tmpdir(), "lambda-train-repositories-"));
  try {
    const repositories: { path: string; folder: string }[] = [];
    for (const [number, repository] of (await repositoriesIn(folder, protectedPaths)).entries()) {
      try {
        writePortable(repository, join(prepared, String(number)), { leftOut: protectedPaths, replaced });
        repositories.push({ path: repository.path, folder: String(number) });
      } catch (error) {
        if (!(error instanceof GitError)) throw error;
        // The code is there, and most code trains without.
        rmSync(join(prepared, String(number)), { recursive: true, force: true });
        onProgress?.(`${workspace}: the commit of ${repository.folder} doesn't go along. ${error.message}`);
      }
    }
    const source = `.lambda-train/repositories/${name}`;
    if (repositories.length > 0)
      await uploadTree(target, { tree: await walkAll(prepared), remoteRoot: source, name: `${name}.git`, ...transfer });
    const call = { verb: "repository-put", document: { name, workspace, source, repositories } };
    const answer = await onTarget(
      target,
      (session) => callAgent(session, call, "Putting the commit in place"),
      transfer,
    );
    for (const kept of (JSON.parse(answer) as { kept: string[] }).kept) {
      const place = kept === "" ? workspace : `${workspace}/${kept}`;
      onProgress?.(`${place}/.git on the instance was changed there, so it stays as it is`);
    }
  } finally {
    rmSync(prepared, { recursive: true, force: true });
  }
}
