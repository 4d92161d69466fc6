import type { Listener } from "../listener";

/** Counts what goes over the line, and tells how much of it and how fast: `312.0 of 900.0 MB, 40.2 MB/s`. */
export function progressMeter(
  phase: string,
  bytes: number,
  onStatus: Listener["status"],
): { readonly count: (files: number, bytes: number) => void } {
  const started = Date.now();
  let done = 0;
  const tell = (): void => {
    const seconds = (Date.now() - started) / 1000;
    // What was handed over is still on its way for as long as the other side has not confirmed it.
    const rest = done >= bytes && bytes > 0 ? ", the last of it on its way" : "";
    const rate = seconds < 1 ? "" : `, ${megabytes(done / seconds)} MB/s`;
    onStatus?.(phase, `${megabytes(done)} of ${megabytes(bytes)} MB${rate}${rest}`);
  };
  tell();
  return {
    count: (_files, moreBytes) => {
      done += moreBytes;
      tell();
    },
  };
}

/** Megabytes as people read them, without the unit: `12.3`. */
export function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(1);
}
