import { plainText } from "./log-text";
import type { RunEvent } from "./types";

/** What happened, in words. */
export function eventText({ event, attempt = 1, code, reason }: RunEvent): string {
  switch (event) {
    case "started":
      return attempt > 1 ? `start ${attempt}` : "started";
    case "supervised again":
      return "supervised again: its supervisor had been killed";
    case "stopping":
      return `stopping (${reason})`;
    case "interrupted":
      return "interrupted: the machine went down";
    case "ended":
      return code === undefined ? "training ended" : `training ended with status ${code}`;
    case "evaluated":
      return code === 0 ? "evaluated" : `evaluation failed with status ${code}`;
    case "checkpoint passed over":
      return `a damaged checkpoint was passed over: ${plainText(reason ?? "")}`;
    case "fetched":
      return "results downloaded";
    case "in bucket":
      return "results copied to the bucket";
    default:
      return event;
  }
}

/** Whether a run has gone another way than started, trained, evaluated, downloaded. */
export function isEventful(events: readonly RunEvent[]): boolean {
  const unusual = ["supervised again", "stopping", "interrupted"];
  return events.some(({ event, attempt = 1 }) => attempt > 1 || unusual.includes(event));
}
