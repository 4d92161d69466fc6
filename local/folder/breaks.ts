import { setImmediate as nextTurn } from "node:timers/promises";

const everyMs = 25;

/** Lets others run now and then while something is done in one go. */
export class Breaks {
  private last = performance.now();

  async take(): Promise<void> {
    if (performance.now() - this.last < everyMs) return;
    await nextTurn();
    this.last = performance.now();
  }
}
