import { get, type IncomingMessage } from "node:http";

/** Reads the dashboard's server-sent events as a browser does, and keeps the lines of the log. */
export class EventReader {
  readonly lines: string[] = [];
  /** What each topic said last. */
  readonly topics = new Map<string, unknown>();
  lastId = "";
  resets = 0;
  private response: IncomingMessage | undefined;

  constructor(
    private readonly url: string,
    private readonly cookie: string,
  ) {}

  /** Connects, from the last event that was seen on. */
  async connect(): Promise<void> {
    const headers = { cookie: this.cookie, ...(this.lastId === "" ? {} : { "last-event-id": this.lastId }) };
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      get(this.url, { headers }, resolve).on("error", reject);
    });
    if (response.statusCode !== 200) throw new Error(`The events answer ${response.statusCode}.`);
    this.response = response.on("error", () => {});
    let rest = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      const events = (rest + chunk).split("\n\n");
      rest = events.pop() ?? "";
      for (const event of events) this.take(event);
    });
  }

  disconnect(): void {
    this.response?.destroy();
  }

  private take(event: string): void {
    const field = (name: string): string | undefined =>
      event
        .split("\n")
        .find((line) => line.startsWith(`${name}: `))
        ?.slice(name.length + 2);
    const [topic, data] = [field("event"), field("data")];
    if (topic === undefined || data === undefined) return;
    this.lastId = field("id") ?? this.lastId;
    if (topic !== "log") {
      this.topics.set(topic, JSON.parse(data));
      return;
    }
    const { reset, lines } = JSON.parse(data) as { reset?: boolean; lines: { text: string }[] };
    if (reset === true) {
      this.resets++;
      this.lines.length = 0;
    }
    this.lines.push(...lines.map(({ text }) => text));
  }
}
