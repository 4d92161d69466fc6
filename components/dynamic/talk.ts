import { engineAddress } from "../../engine/link/address";
import { EngineLog } from "../../engine/link/log";
import { drawsRows } from "../../engine/link/rows";
import { paceOf, StatusLine } from "../../engine/link/status-line";
import { safeText } from "../../remote/log-text";
import type { HandlerContext } from "./handler";

type Talk = Pick<HandlerContext, "progress" | "status">;

let log: EngineLog | undefined;

/** Shared by all resources of this process: their lines arrive in the order in which they were told. */
function engineLog(): EngineLog | undefined {
  const address = engineAddress();
  if (log === undefined && address !== undefined) log = new EngineLog(`${address.host}:${address.port}`);
  return log;
}

/**
 * Runs one call whose lines belong to a resource's row. Resolves when they all have reached the engine, so that none
 * is shown after the end of its operation. Without a URN or an engine lines are printed: the engine shows them in the
 * stack's row, where every line stays.
 */
export async function talk<T>(urn: string | undefined, run: (talk: Talk) => Promise<T>): Promise<T> {
  const engine = urn === undefined ? undefined : engineLog();
  const [keep, show] =
    engine === undefined || urn === undefined
      ? [console.log, console.log]
      : [(line: string) => engine.info(urn, line), (line: string) => engine.status(urn, line)];
  let line: StatusLine | undefined;
  try {
    return await run({
      progress: (message) => {
        line?.rest();
        keep(safeText(message));
      },
      status: (phase, detail) => {
        line ??= new StatusLine((text) => show(safeText(text)), paceOf(engine !== undefined && drawsRows()));
        line.tell(phase, detail);
      },
    });
  } finally {
    line?.end();
    await engine?.shown();
  }
}
