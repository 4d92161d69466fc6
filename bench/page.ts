import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { projectFolder } from "../local/paths";
import { type Figure, goalText, isMet, shown } from "./figures";
import { goalsPicture, type Span, timelinePicture } from "./pictures";
import { timelinesFile } from "./timeline";

const page = join(projectFolder(), "docs", "performance.md");
const folder = join(projectFolder(), "docs", "performance");
const [begin, end] = ["<!-- figures -->", "<!-- end of figures -->"];

const titles: Readonly<Record<string, string>> = {
  up: "A first up: tiny workload, emulated cloud",
  "no-op": "An up that changes nothing",
  down: "A down: results home, instance terminated",
  upload: "An upload: 50,000 small files and one of 500 MB",
};

/** Writes the figures of a run and their pictures to docs/performance/, and the table into docs/performance.md. */
export function publish(figures: readonly Figure[]): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "goals.svg"), goalsPicture(figures));
  if (existsSync(timelinesFile)) {
    const timelines = JSON.parse(readFileSync(timelinesFile, "utf8")) as Record<string, Span[]>;
    for (const [name, spans] of Object.entries(timelines)) {
      writeFileSync(join(folder, `${name}.svg`), timelinePicture(titles[name] ?? name, spans));
    }
  }
  const text = readFileSync(page, "utf8");
  const [before, after] = [text.slice(0, text.indexOf(begin) + begin.length), text.slice(text.indexOf(end))];
  writeFileSync(page, `${before}\n${table(figures).join("\n")}\n${after}`);
}

function table(figures: readonly Figure[]): string[] {
  const met = figures.filter(isMet).length;
  const rows = figures.map(
    (figure) =>
      `| ${cell(figure.what)} | ${shown(figure.value)} ${figure.unit} | ${goalText(figure)} | ${isMet(figure) ? "met" : "**missed**"} | ${cell(figure.from)} |`,
  );
  return [
    `Measured on ${new Date().toISOString().slice(0, 10)} on ${cpus().length} cores: ${met} of ${figures.length} goals met.`,
    "",
    "| what | measured | goal | | from |",
    "|---|---|---|---|---|",
    ...rows,
  ];
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
