import type { Client } from "ssh2";
import type { Connection } from "./inputs";

/** Long enough for the engine to go from one command to the next. */
const IDLE_MS = 10_000;

interface Idle {
  readonly connection: Connection;
  readonly client: Client;
  readonly timer: NodeJS.Timeout;
}

let idle: Idle[] = [];

/** A connection that waits for its next use, with the same login and the same pinned host key. */
export function takeKept(connection: Connection): Client | undefined {
  const found = idle.find((each) => isSame(each.connection, connection));
  return found && forget(found.client);
}

/** Done with a connection on which a command ended well: it waits a while for the next one. */
export function giveBack(connection: Connection, client: Client): void {
  const timer = setTimeout(() => forget(client)?.end(), IDLE_MS);
  timer.unref();
  idle.push({ connection, client, timer });
  client.once("close", () => forget(client));
}

function forget(client: Client): Client | undefined {
  const found = idle.find((each) => each.client === client);
  if (found === undefined) return undefined;
  clearTimeout(found.timer);
  idle = idle.filter((each) => each !== found);
  return client;
}

function isSame(one: Connection, other: Connection): boolean {
  const names = ["host", "port", "user", "hostKey", "privateKey"] as const;
  return names.every((name) => one[name] === other[name]);
}
