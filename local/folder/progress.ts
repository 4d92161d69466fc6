import type { Listener } from "../listener";

/**
 * Counts what goes over the line, and tells how much of it and how fast: `312.0 of 900.0 MB, 40.2 MB/s`.
 * @param total Where it becomes known only meanwhile, a function.
 */
export function progressMeter(
  phase: string,
  total: number | (() => number),
  onStatus: Listener["status"],
): (bytes: number) => void {
  const started = Date.now();
  let done = 0;
  const tell = (): void => {
    const bytes = typeof total === "number" ? total : total();
    const seconds = (Date.now() - started) / 1000;
    // What was handed over is still on its way for as long as the other side has not confirmed it.
    const rest = done >= bytes && bytes > 0 ? ", the last of it on its way" : "";
    const rate = seconds < 1 ? "" : `, ${megabytes(done / seconds)} MB/s`;
    onStatus?.(phase, `${megabytes(done)} of ${megabytes(bytes)} MB${rate}${rest}`);
  };
  tell();
  return (more) => {
    done += more;
    tell();
  };
}

/** Counts what of a folder is read. */
export interface Reading {
  /** Another entry was found. */
  readonly found: () => void;
  /** As many files are to be hashed as are not known from an earlier reading. */
  readonly begin: (files: number) => void;
  readonly hashed: (bytes: number) => void;
  /** Another file is hashed. */
  readonly done: () => void;
}

const toldEveryMs = 250;

/** Tells how far the reading of a folder is: `210,000 of 655,620 files, 0.4 GB hashed`. */
export function reading(tell: ((detail: string) => void) | undefined): Reading {
  let found = 0;
  let files = 0;
  let done = 0;
  let bytes = 0;
  let told = Date.now();
  const when = (detail: () => string): void => {
    if (Date.now() - told < toldEveryMs) return;
    told = Date.now();
    tell?.(detail());
  };
  const hashing = (): string =>
    `${amount(done)} of ${amount(files)} ${files === 1 ? "file" : "files"}, ${(bytes / 1e9).toFixed(1)} GB hashed`;
  return {
    found: () => {
      found += 1;
      when(() => `${amount(found)} files found`);
    },
    begin: (all) => {
      files = all;
    },
    hashed: (more) => {
      bytes += more;
      when(hashing);
    },
    done: () => {
      done += 1;
      when(hashing);
    },
  };
}

function amount(count: number): string {
  return count.toLocaleString("en-US");
}

/** Megabytes as people read them, without the unit: `12.3`. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
