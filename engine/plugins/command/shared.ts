import type { Client } from "ssh2";
import type { Connection } from "./inputs";

/** Long enough for the engine to go from one command to the next. */
const IDLE_MS = 10_000;
/** OpenSSH's server lets ten sessions run on one connection. */
const MOST_USERS = 8;

/** An open connection, and how many commands run on it. */
interface Shared {
  readonly connection: Connection;
  readonly client: Client;
  users: number;
  timer?: NodeJS.Timeout;
}

let open: Shared[] = [];

/** Lets commands to come use a connection, too. The caller uses it already. */
export function share(connection: Connection, client: Client): void {
  open.push({ connection, client, users: 1 });
  client.once("close", () => take(client));
}

/** A connection that is open already, with the same login and the same pinned host key. `isIdle`: nobody else uses it. */
export function join(connection: Connection): { readonly client: Client; readonly isIdle: boolean } | undefined {
  const found = open.find((each) => each.users < MOST_USERS && isSame(each.connection, connection));
  if (found === undefined) return undefined;
  clearTimeout(found.timer);
  found.users += 1;
  return { client: found.client, isIdle: found.users === 1 };
}

/** A command is done with a connection. It stays open for others, for those to come a while only. */
export function leave(client: Client): void {
  const found = open.find((each) => each.client === client);
  if (found === undefined) return;
  found.users -= 1;
  if (found.users > 0) return;
  found.timer = setTimeout(() => take(client)?.end(), IDLE_MS);
  found.timer.unref();
}

function take(client: Client): Client | undefined {
  const found = open.find((each) => each.client === client);
  clearTimeout(found?.timer);
  open = open.filter((each) => each !== found);
  return found?.client;
}

function isSame(one: Connection, other: Connection): boolean {
  const names = ["host", "port", "user", "hostKey", "privateKey"] as const;
  return names.every((name) => one[name] === other[name]);
}
