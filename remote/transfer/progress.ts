import { showBytes } from "./surprise";

const everyMs = 5000;

/** Counts what goes over the line and tells about it every few seconds. */
export function progressMeter(
  what: string,
  files: number,
  bytes: number,
  onProgress: ((line: string) => void) | undefined,
): { readonly count: (files: number, bytes: number) => void } {
  const started = Date.now();
  let told = started;
  let doneFiles = 0;
  let doneBytes = 0;
  return {
    count: (moreFiles, moreBytes) => {
      doneFiles += moreFiles;
      doneBytes += moreBytes;
      const now = Date.now();
      if (onProgress !== undefined && now - told >= everyMs) {
        told = now;
        const rate = showBytes((doneBytes * 1000) / (now - started));
        onProgress(`${what} ${doneFiles}/${files} files, ${showBytes(doneBytes)} of ${showBytes(bytes)}, ${rate}/s`);
      }
    },
  };
}
