import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** What other users of a machine may see of a process. */
export interface SeenProcess {
  readonly pid: number;
  readonly parent: number;
  /** Program and arguments, which every user can read. */
  readonly argv: string;
  /** Variables as the process was started with, which its own user can read. Empty where this process may not. */
  readonly environment: string;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, "utf8");
  } catch {
    // It has ended, or is another user's.
    return "";
  }
};

/** All processes of this machine, those inside sandboxes too. */
export function processes(): SeenProcess[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({
      pid: Number(name),
      // The name before it, in parentheses, may hold anything.
      parent: Number(/^.*\) \S (\d+)/s.exec(read(`/proc/${name}/stat`))?.[1] ?? 0),
      argv: read(`/proc/${name}/cmdline`),
      environment: read(`/proc/${name}/environ`),
    }));
}

/** A process and all below it. */
export function family(all: readonly SeenProcess[], pid: number): Set<number> {
  const found = new Set([pid]);
  for (let before = 0; before < found.size; ) {
    before = found.size;
    for (const each of all) if (found.has(each.parent)) found.add(each.pid);
  }
  return found;
}

/** Looks at all processes every so often until it is stopped; `stop` takes a last look. */
export function watchProcesses(look: (all: readonly SeenProcess[]) => void): { stop(): void } {
  const timer = setInterval(() => look(processes()), 100);
  return {
    stop: () => {
      clearInterval(timer);
      look(processes());
    },
  };
}

/** Addresses on which any of these processes listens for TCP, like `127.0.0.1:80` or `::1:80`. */
export function listeningAddresses(pids: Iterable<number>): string[] {
  const sockets = new Set([...pids].flatMap(openSockets));
  return ["/proc/net/tcp", "/proc/net/tcp6"].flatMap((table) =>
    read(table)
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter(([, , , state, ...rest]) => state === "0A" && sockets.has(rest[5] ?? ""))
      .map(([, local = ""]) => readable(local)),
  );
}

/** Inodes of a process's sockets. */
function openSockets(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return [];
      }
    });
  } catch {
    return [];
  }
}

/** The kernel's `0100007F:0050` as `127.0.0.1:80`: hexadecimal words in the machine's own order of bytes. */
function readable(local: string): string {
  const [words = "", port = ""] = local.split(":");
  const bytes = Buffer.from(words, "hex").swap32();
  const groups = Array.from({ length: 8 }, (_, i) => bytes.subarray(2 * i, 2 * i + 2).toString("hex"));
  const address = bytes.length === 4 ? [...bytes].join(".") : new URL(`http://[${groups.join(":")}]`).hostname;
  return `${address}:${Number.parseInt(port, 16)}`;
}
