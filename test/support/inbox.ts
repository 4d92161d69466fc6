import { createServer, type IncomingHttpHeaders, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Something that was posted. */
export interface Post {
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A server of this machine that keeps what is posted to it. Paths with `gone` in them are not found. */
export class Inbox {
  readonly posts: Post[] = [];
  private readonly server: Server = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on("end", () => {
      const { url: path = "", headers } = request;
      this.posts.push({ path, headers, body });
      response.statusCode = path.includes("gone") ? 404 : 200;
      response.end();
    });
  });

  static async start(): Promise<Inbox> {
    const inbox = new Inbox();
    await new Promise<void>((done) => inbox.server.listen(0, "127.0.0.1", done));
    return inbox;
  }

  get address(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  /** The bodies posted to a path, as JSON. */
  at<T>(path: string): T[] {
    return this.posts.filter((post) => post.path === path).map(({ body }) => JSON.parse(body) as T);
  }

  stop(): void {
    this.server.close();
  }
}
