import { readdirSync, readFileSync } from "node:fs";

/** What a process is, by its arguments; the workload's own processes are none of these. */
const kinds: readonly (readonly [kind: string, arguments: RegExp])[] = [
  ["emulated cloud", /dist\/emulator\/main\.js/],
  ["provider of dynamic resources", /cmd\/dynamic-provider/],
  ["program", /@pulumi\/pulumi\/cmd\/run/],
  ["command plugin", /plugins\/command\/main\.js/],
  ["random plugin", /plugins\/random\/main\.js/],
  ["agent on the instance", /\.lambda-train\/agent\//],
  ["command of the user", /dist\/cli\/[\w-]+\.js/],
  ["Pulumi engine", /^pulumi /],
];

/** Watches the memory of all processes of a project, on this machine and on its instances, until it is stopped. */
export class MemoryWatch {
  /** Most resident memory of one process of a kind so far, in MB. */
  readonly peaks = new Map<string, number>();
  private readonly timer: NodeJS.Timeout;

  /** @param local The project's folder of local state: who has it in its environment, or descends from one, is its. */
  constructor(private readonly local: string) {
    this.timer = setInterval(() => this.look(), 500);
  }

  stop(): void {
    clearInterval(this.timer);
    this.look();
  }

  private look(): void {
    const parents = new Map<number, number>();
    const own = new Set<number>();
    const pids = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
    for (const pid of pids) {
      const parent = /^PPid:\s+(\d+)/m.exec(read(pid, "status"))?.[1];
      parents.set(pid, Number(parent ?? 0));
      if (read(pid, "environ").split("\0").includes(`LAMBDA_TRAIN_LOCAL=${this.local}`)) own.add(pid);
    }
    const isOwn = (pid: number): boolean => pid > 1 && (own.has(pid) || isOwn(parents.get(pid) ?? 0));
    for (const pid of pids.filter(isOwn)) {
      const words = read(pid, "cmdline").replaceAll("\0", " ");
      const kind = kinds.find(([, pattern]) => pattern.test(words))?.[0];
      const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(read(pid, "status"))?.[1] ?? 0) / 1000;
      if (kind !== undefined) this.peaks.set(kind, Math.max(this.peaks.get(kind) ?? 0, peak));
    }
  }
}

/** A file of a process, or nothing where it has just ended. */
function read(pid: number, name: string): string {
  try {
    return readFileSync(`/proc/${pid}/${name}`, "utf8");
  } catch {
    return "";
  }
}
