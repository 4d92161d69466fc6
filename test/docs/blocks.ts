import { readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(__dirname, "../..");

/** A fenced block of a page. */
export interface Block {
  /** Line of the page at which it begins, from 1. */
  readonly line: number;
  /** Commands that run until they are ended by a key: they need a terminal. */
  readonly interactive: boolean;
  readonly text: string;
}

/** The pages of the documentation, relative to the project. */
export function pages(): string[] {
  const docs = readdirSync(join(root, "docs"), { recursive: true, encoding: "utf8" });
  const written = docs.filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  return ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", ...written.sort()];
}

/** The blocks of a page in a language, in their order: fences that begin with ```sh. */
export function blocksOf(page: string, language = "sh"): Block[] {
  const blocks: Block[] = [];
  let open: { line: number; words: string[]; text: string[] } | undefined;
  for (const [index, line] of readFileSync(join(root, page), "utf8").split("\n").entries()) {
    const fence = /^ *```(.*)$/.exec(line);
    if (fence === null) {
      open?.text.push(line);
    } else if (open === undefined) {
      open = { line: index + 1, words: (fence[1] ?? "").trim().split(" "), text: [] };
    } else {
      const { line: begin, words, text } = open;
      const interactive = words.includes("interactive");
      if (words[0] === language) blocks.push({ line: begin, interactive, text: text.join("\n") });
      open = undefined;
    }
  }
  if (open !== undefined) throw new Error(`${page}:${open.line} opens a block that nothing closes`);
  return blocks;
}

/** The commands that a page shows with their output: the lines of ```console blocks after a prompt. */
export function promptsOf(page: string): string[] {
  const lines = blocksOf(page, "console").flatMap(({ text }) => text.split("\n"));
  return lines.filter((line) => line.startsWith("$ ")).map((line) => line.slice(2));
}

/** The commands of a block, without comments; a command continued by a backslash is one. */
export function commandsOf({ text }: Block): string[] {
  return text
    .replaceAll("\\\n", " ")
    .split("\n")
    .map((line) => line.replace(/(^|\s)#.*$/, "").trim())
    .filter((line) => line !== "");
}
