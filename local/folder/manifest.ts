import { hashText, TextDigest } from "./hashes";

/** One file, symbolic link or empty folder of a manifest. */
export interface ManifestEntry {
  /** Path relative to the root, with `/`, never absolute, never with `..`. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the content, hexadecimal. For a symbolic link: of the link's target text. */
  readonly sha256: string;
  /** Permission bits that matter: executable or not. */
  readonly executable: boolean;
  /** MD5 of the content, where the entry is of a bucket's manifest. */
  readonly md5?: string;
  /** When a file of results was last written, in milliseconds since the epoch. Absent: nothing tells. */
  readonly mtime?: number;
  /** Target of a symbolic link, absent for a file. */
  readonly link?: string;
  /** True for a folder without any entry below it; its size is 0, its checksum that of no content. */
  readonly folder?: true;
}

/** True for a file: links and empty folders have no content, whatever checksum they have. */
export function hasContent({ link, folder }: Pick<ManifestEntry, "link" | "folder">): boolean {
  return link === undefined && folder !== true;
}

/** All files, links and empty folders under a root, sorted by path (by code unit). */
export interface Manifest {
  readonly files: readonly ManifestEntry[];
}

/** SHA-256 of no content, as the entry of an empty folder has it. */
export const emptySha256 = hashText("");

/** SHA-256 over all that a manifest says; the same for the same files in any order of finding. */
export function manifestHash(manifest: Manifest): string {
  const digest = new ManifestDigest();
  for (const entry of [...manifest.files].sort(byPath)) digest.add(entry);
  return digest.digest();
}

/** The same over entries that come one by one, sorted by path. */
export class ManifestDigest {
  private readonly lines = new TextDigest();

  add({ path, size, sha256, executable, link, folder }: ManifestEntry): void {
    const kind = folder === true ? ["folder"] : [];
    this.lines.add(`${JSON.stringify([path, size, sha256, executable, link ?? null, ...kind])}\n`);
  }

  digest(): string {
    return this.lines.digest();
  }
}

/** Order of a manifest: by code unit. */
export function byPath(a: Pick<ManifestEntry, "path">, b: Pick<ManifestEntry, "path">): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}

/** A part that is none, `.` or `..`; or a NUL. */
const unsafePart = /(?:^|\/)\.{0,2}(?:\/|$)|\0/;

/** True for a relative path that names something strictly below its root, whatever machine it comes from. */
export function isSafePath(path: string): boolean {
  return path.length <= 4096 && !unsafePart.test(path) && (path.length <= 255 || !/[^/]{256}/.test(path));
}

/** A path from an instance as messages show it: short, and without characters that a terminal would obey. */
export function quoted(path: string): string {
  const code = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return JSON.stringify(path.slice(0, 200)).replace(/\p{Cc}/gu, code);
}

/** Some paths as messages name them: the first three, and how many more there are. */
export function quotedFew(paths: readonly string[]): string {
  const more = paths.length > 3 ? ` and ${paths.length - 3} more` : "";
  return `${paths.slice(0, 3).map(quoted).join(", ")}${more}`;
}

/** True where a symbolic link at `path` with this target stays below the root. An absolute target never does. */
export function staysInside(path: string, target: string): boolean {
  if (target === "" || target.startsWith("/") || target.includes("\0")) {
    return false;
  }
  const at = path.split("/").slice(0, -1);
  for (const part of target.split("/")) {
    if (part === "..") {
      if (at.pop() === undefined) {
        return false;
      }
    } else if (part !== "" && part !== ".") {
      at.push(part);
    }
  }
  return true;
}

/** True where `path` is one of the folders (or files), or lies below one. */
export function isUnder(path: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path === folder || path.startsWith(`${folder}/`));
}

/** The paths as given in a plan (`./data/`, `data`) in a manifest's form. */
export function normalizePaths(paths: readonly string[]): string[] {
  return paths
    .map((path) =>
      path
        .split("/")
        .filter((part) => part !== "" && part !== ".")
        .join("/"),
    )
    .filter((path) => path !== "");
}

/**
 * Refuses a manifest that did not come from our own disk unless it is sane: safe and distinct paths, links that stay
 * inside, nothing below a file or link, whole sizes, SHA-256 checksums. `origin` names it in the error.
 */
export function checkManifest(manifest: Manifest, origin: string): void {
  for (const entry of manifest.files) checkEntry(entry, origin);
  const paths = new PathsCheck(origin);
  for (const { path } of [...manifest.files].sort(byPath)) paths.add(path);
}

/** The latest time that a date can be. */
const latest = 8.64e15;

function isTime(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= latest;
}

/** The part of the same that one entry alone tells. */
export function checkEntry({ path, size, sha256, mtime, link, folder }: ManifestEntry, origin: string): void {
  if (typeof path !== "string" || !isSafePath(path)) {
    refuse(origin, String(path), "is not a path below the folder");
  }
  if (!Number.isSafeInteger(size) || size < 0 || typeof sha256 !== "string" || !/^[0-9a-f]{64}$/.test(sha256)) {
    refuse(origin, path, "has no proper size and checksum");
  }
  if (mtime !== undefined && !isTime(mtime)) refuse(origin, path, "has no proper time");
  if (folder !== undefined && (folder !== true || size !== 0 || sha256 !== emptySha256 || link !== undefined)) {
    refuse(origin, path, "is no proper empty folder");
  }
  if (link !== undefined && (typeof link !== "string" || !staysInside(path, link))) {
    refuse(origin, path, `is a link that leads out of the folder (${quoted(String(link))})`);
  }
}

/** The part that the order of the paths tells, of paths that come sorted: none is kept but those that begin the next one. */
export class PathsCheck {
  private readonly beginnings: string[] = [];

  constructor(private readonly origin: string) {}

  add(path: string): void {
    const { beginnings } = this;
    for (let last = beginnings.at(-1); last !== undefined && !path.startsWith(last); last = beginnings.at(-1)) {
      if (path < last) refuse(this.origin, path, "is not in the order of the paths");
      beginnings.pop();
    }
    if (beginnings.at(-1) === path) refuse(this.origin, path, "is listed twice");
    if (beginnings.some((above) => path[above.length] === "/")) {
      refuse(this.origin, path, "lies below something that is not a folder");
    }
    beginnings.push(path);
  }
}

function refuse(origin: string, path: string, why: string): never {
  throw new Error(`The manifest from ${origin} is refused: ${quoted(path)} ${why}.`);
}
