import type { Listener } from "../../local/listener";

const every = 1000;

/** Tells how many files of a step are done, not each single one: `verifying  120,000 of 200,000 files`. */
export function fileCounter(onStatus: Listener["status"], phase: string, total?: number): (files: number) => void {
  let done = 0;
  let told = 0;
  const of = total === undefined ? "" : ` of ${total.toLocaleString("en-US")}`;
  const tell = (): void => onStatus?.(phase, `${done.toLocaleString("en-US")}${of} files`);
  if (total !== undefined) tell();
  return (files) => {
    done += files;
    if (done - told >= every || done === total) {
      told = done;
      tell();
    }
  };
}
