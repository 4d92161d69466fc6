import { existsSync, mkdirSync, readFileSync, watch, writeFileSync } from "node:fs";
import { join } from "node:path";
import { projectFolder } from "../local/paths";
import { TestCloud } from "../test/support/cloud";
import { Project } from "../test/support/project";
import { useTinyWorkload } from "../test/support/tiny";
import type { Span } from "./pictures";
import { writeRandomFile, writeSmallFiles } from "./transfer/files";
import { Place } from "./transfer/place";

/** Where the time of one `up`, one upload and one `down` goes; `npm run bench -- --publish` draws it. */
export const timelinesFile = join(projectFolder(), ".local", "bench", "timelines.json");

async function main(): Promise<void> {
  const project = new Project("bench");
  const place = await Place.open();
  try {
    useTinyWorkload(project, { overrides: { steps: 1_000_000 } });
    await project.init();
    await TestCloud.start(project);
    const up = await operation(project, ["up", "--yes", "--skip-preview"]);
    const noop = await operation(project, ["up", "--yes", "--skip-preview"]);
    const down = await operation(project, ["destroy", "--yes", "--skip-preview"]);
    const timelines = { up, "no-op": noop, down, upload: await upload(place) };
    for (const [name, spans] of Object.entries(timelines)) {
      console.log(`\n${name}`);
      for (const { name: what, from, to, owner } of spans) {
        console.log(`  ${from.toFixed(2).padStart(6)} to ${to.toFixed(2).padStart(6)} s  ${what} (${owner})`);
      }
    }
    mkdirSync(join(timelinesFile, ".."), { recursive: true });
    writeFileSync(timelinesFile, JSON.stringify(timelines));
  } finally {
    await place.close();
    await project.dispose();
  }
}

interface EngineEvent {
  readonly resourcePreEvent?: { readonly metadata: Metadata };
  readonly resOutputsEvent?: { readonly metadata: Metadata };
  readonly resOpFailedEvent?: { readonly metadata: Metadata };
  readonly summaryEvent?: object;
}

interface Metadata {
  readonly op: string;
  readonly urn: string;
  readonly type: string;
}

/** The spans of one operation of the engine: before its first resource, each resource that it works on, and after the last. */
export async function operation(project: Project, args: readonly string[]): Promise<Span[]> {
  const log = join(project.folder, "events.json");
  writeFileSync(log, "");
  const started = performance.now();
  const now = (): number => (performance.now() - started) / 1000;
  const begun = new Map<string, number>();
  const spans: Span[] = [];
  let first: number | undefined;
  let last = 0;
  let read = 0;
  const take = (): void => {
    const text = existsSync(log) ? readFileSync(log, "utf8") : "";
    const end = text.lastIndexOf("\n") + 1;
    for (const line of text.slice(read, end).split("\n").filter(Boolean)) {
      const { resourcePreEvent: pre, resOutputsEvent: post, summaryEvent: summary } = JSON.parse(line) as EngineEvent;
      if (pre !== undefined) {
        first ??= now();
        begun.set(pre.metadata.urn, now());
      }
      if (post !== undefined) {
        const { urn, type } = post.metadata;
        const from = begun.get(urn) ?? now();
        const isRemote = type.startsWith("pulumi-nodejs:") || type.startsWith("command:");
        const owner = isRemote ? "instance and cloud" : type.includes(":index:") ? "component" : "engine";
        spans.push({ name: urn.split("::").at(-1) ?? urn, from, to: now(), owner });
      }
      if (summary !== undefined) last = now();
    }
    read = end;
  };
  const watcher = watch(log, take);
  const { code, output } = await project.pulumi([...args, "--event-log", log], { PULUMI_DEBUG_COMMANDS: "true" });
  watcher.close();
  take();
  if (code !== 0) throw new Error(output);
  const total = now();
  const head: Span = { name: "start: engine, program, plan", from: 0, to: first ?? total, owner: "start and end" };
  const tail: Span = { name: "end: state, display, processes", from: last, to: total, owner: "start and end" };
  return [head, ...spans.filter(({ from, to }) => to - from > total / 200), tail];
}

/** The phases of one upload of small files and a big one. */
async function upload(place: Place): Promise<Span[]> {
  writeSmallFiles(place.path("data/small"), 50_000, 1800);
  writeRandomFile(place.path("data/big.bin"), 500e6);
  const { seconds, phases } = await place.own({ way: "up", local: place.path("data"), remote: "data" });
  const starts = [["connecting", 0] as const, ...phases];
  return starts.map(([name, from], at) => ({ name, from, to: starts[at + 1]?.[1] ?? seconds, owner: "transfer" }));
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
