import { existsSync } from "node:fs";
import { join, resolve } from "node:path";

const withScheme = /^(https?|ssh|git|file):\/\//i;
const likeScp = /^[\w.-]+@[\w.-]+:/;

/**
 * The git URL that a source names; undefined where it names a folder. A repository on this machine whose name ends in
 * `.git` is a URL, as its absolute path.
 * @param root Folder to which a relative source refers.
 */
export function gitUrlOf(source: string, root: string): string | undefined {
  if (withScheme.test(source) || likeScp.test(source)) return source;
  if (!source.endsWith(".git")) return undefined;
  const path = resolve(root, source);
  if (!existsSync(path)) return /^[\w.-]+:/.test(source) ? source : undefined;
  const isBare = existsSync(join(path, "HEAD")) && existsSync(join(path, "objects"));
  return isBare || existsSync(join(path, ".git")) ? path : undefined;
}

/** Whether a git URL leads to a repository on this machine. */
export function isLocalUrl(url: string): boolean {
  return /^(file:\/\/|\/)/i.test(url);
}

/**
 * A text without passwords and tokens in its URLs. The user name of an ssh address stays: it is part of the address.
 */
export function withoutCredentials(text: string): string {
  return text
    .replace(/(ssh:\/\/[^:/@\s]+):[^/@\s]*@/gi, "$1@")
    .replace(/(\b(?!ssh:)\w+:\/\/)[^/\s]*@/gi, "$1")
    .replace(/(\w+:\/\/[^\s?#'"]*)[?#][^\s'"]*/gi, "$1");
}
