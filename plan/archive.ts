import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { localEnvironment } from "../local/command";
import { packageFolder } from "../local/paths";

/** What to do, by the status with which the agent's look at an archive refuses it: damaged or hostile, of another layout. */
const remedies = new Map<unknown, string>([
  [4, "Make the archive anew, or give the folder that it was made of"],
  [6, "Pack the folders on top of it, or name what it has in dataset.splits"],
]);

/**
 * Looks at an archive of this machine by the agent's own rules, without extracting it.
 * @param target Folder in the workspace for the dataset.
 * @param cache Folder in which is noted which archives are right: of a compressed one all is read.
 * @returns why the instance would refuse it; undefined if it would not, or if that can't be told here.
 */
export async function archiveFault(
  path: string,
  { target, splits }: { readonly target: string; readonly splits: readonly string[] },
  cache: string,
): Promise<{ readonly message: string; readonly next?: string } | undefined> {
  const { size, mtimeNs, ctimeNs, ino } = statSync(path, { bigint: true });
  const name = target.split("/").at(-1) ?? target;
  const key = JSON.stringify([path, ...[size, mtimeNs, ctimeNs, ino].map(String), name, splits]);
  const known = join(cache, "archives", createHash("sha256").update(key).digest("hex"));
  if (existsSync(known)) return undefined;
  const document = Buffer.from(JSON.stringify({ path, name, splits })).toString("hex");
  const agent = join(packageFolder(), "scripts/agent");
  const looked = await new Promise<Awaited<ReturnType<typeof archiveFault>> | "right">((settle, fail) => {
    const words = ["-BIS", agent, "archive-look", document];
    execFile("python3", words, { env: localEnvironment() }, (error, _stdout, stderr) => {
      const next = remedies.get(error?.code);
      const message = stderr.trim().replace(/\.$/, "");
      if (error === null) settle("right");
      else if (next !== undefined) settle({ message, next: message.includes("in dataset.splits") ? undefined : next });
      else if (error.code === "ENOENT" || typeof error.code === "number") settle(undefined);
      else fail(error);
    });
  });
  if (looked !== "right") return looked;
  mkdirSync(dirname(known), { recursive: true });
  writeFileSync(known, "");
  return undefined;
}
