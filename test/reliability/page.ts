import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../../local/paths";
import { allCases } from "../faults/cases";
import type { FaultFigures } from "../faults/report";
import { faultSection } from "../faults/section";

/** A part of docs/reliability.md. */
export interface Section {
  readonly title: string;
  /** Day of the run, ISO 8601. */
  readonly date: string;
  /** Paragraphs of Markdown. */
  readonly text: readonly string[];
  readonly tables: readonly Table[];
}

export interface Table {
  readonly title: string;
  readonly head: readonly string[];
  readonly rows: readonly (readonly (string | number)[])[];
}

/** Suites whose last whole run the page tells of, in its order. Each has its file in docs/reliability/. */
export type Suite = "faults" | "crash";

const folder = join(projectFolder(), "docs", "reliability");
export const pagePath = join(projectFolder(), "docs", "reliability.md");

const introduction = [
  "# Reliability",
  "",
  "This page lists the faults that the suites tried against the project's promises, and the outcome of each. It is " +
    "generated from the figures in `docs/reliability/`, which each suite writes after a whole run.",
];

/** The page as the figures kept in docs/reliability/ make it. */
export function page(): string {
  const faults = figures<FaultFigures>("faults");
  const sections = [faults === undefined ? undefined : faultSection(faults, allCases), figures<Section>("crash")];
  return `${[...introduction, ...sections.flatMap((section) => (section === undefined ? [] : markdown(section)))].join("\n")}\n`;
}

/** What a suite's last whole run came to; undefined where there was none. */
export function figures<T>(suite: Suite): T | undefined {
  const path = join(folder, `${suite}.json`);
  return existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as T) : undefined;
}

/** Keeps a suite's figures (`crash`: a {@link Section}, `faults`: {@link FaultFigures}), and makes the page anew. */
export function publish(suite: "crash", section: Section): void;
export function publish(suite: "faults", run: FaultFigures): void;
export function publish(suite: Suite, run: Section | FaultFigures): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${suite}.json`), `${JSON.stringify(run, null, 2)}\n`);
  writeFileSync(pagePath, page());
}

function markdown({ title, date, text, tables }: Section): string[] {
  return [
    ...["", `## ${title}`, "", `Last whole run: ${date}.`],
    ...text.flatMap((paragraph) => ["", paragraph]),
    ...tables.flatMap((table) => ["", `### ${table.title}`, "", ...tableLines(table)]),
  ];
}

function tableLines({ head, rows }: Table): string[] {
  const line = (cells: readonly (string | number)[]): string =>
    `| ${cells.map((cell) => String(cell).replaceAll("|", "\\|").replaceAll("<", "&lt;")).join(" | ")} |`;
  return [line(head), `|${head.map(() => "---").join("|")}|`, ...rows.map(line)];
}
