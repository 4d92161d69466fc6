import { randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { KeptLines } from "./log-lines";

/** Lines that the page can scroll back to. */
export const keptLines = 5000;
/** A comment now and then keeps what lies between from ending a silent connection. */
const keepAliveMs = 15_000;
/** Bytes that wait for a browser. */
const mostUnread = 16 * 1024 ** 2;

/**
 * What the page is told, by server-sent events. A topic has one newest state, sent to whoever comes and whenever it
 * changes. The log is told line by line; an event's id says how far, so that a browser that comes back gets what it
 * missed, each line once.
 */
export class Events {
  private readonly topics = new Map<string, string>();
  private readonly clients = new Set<ServerResponse>();
  private readonly beat = setInterval(() => this.write(": still here\n\n"), keepAliveMs);
  private log = new KeptLines(keptLines);
  /** Names the log that the line numbers belong to. */
  private logName = newName();

  /** Somebody looks. */
  get watched(): boolean {
    return this.clients.size > 0;
  }

  /** Sets a topic's state. */
  set(topic: string, state: unknown): void {
    const text = JSON.stringify(state ?? null);
    if (this.topics.get(topic) === text) return;
    this.topics.set(topic, text);
    this.write(this.event(topic, text));
  }

  /** What was set last. */
  get(topic: string): unknown {
    return JSON.parse(this.topics.get(topic) ?? "null");
  }

  /** Takes bytes of the log. */
  appendLog(chunk: Buffer): void {
    const lines = this.log.push(chunk);
    if (lines.length > 0) this.write(this.event("log", JSON.stringify({ lines: lines.slice(-keptLines) })));
    this.set("open-line", this.log.open);
  }

  /** Another log begins. */
  resetLog(): void {
    this.log = new KeptLines(keptLines);
    this.logName = newName();
    this.write(this.event("log", JSON.stringify({ reset: true, lines: [] })));
    this.set("open-line", "");
  }

  /** Adds a browser. `lastId`: the last event that it has seen, where it was here before. */
  add(response: ServerResponse, lastId: string | undefined): void {
    response.write("retry: 1000\n\n");
    // The log is first: the ids of all others say that its lines have been sent.
    const [name, number] = (lastId ?? "").split(".");
    const known = name === this.logName ? Number(number) : undefined;
    const lines = this.log.after(known ?? 0);
    response.write(this.event("log", JSON.stringify({ reset: known === undefined, lines })));
    for (const [topic, text] of this.topics) response.write(this.event(topic, text));
    this.clients.add(response);
    response.on("close", () => this.clients.delete(response));
  }

  close(): void {
    clearInterval(this.beat);
    for (const client of this.clients) client.end();
  }

  private event(topic: string, text: string): string {
    return `id: ${this.logName}.${this.log.last}\nevent: ${topic}\ndata: ${text}\n\n`;
  }

  private write(text: string): void {
    for (const client of this.clients) {
      // A browser that does not read comes back when it does, and gets what it missed.
      if (client.writableLength > mostUnread) client.destroy();
      else client.write(text);
    }
  }
}

function newName(): string {
  return randomBytes(6).toString("hex");
}
