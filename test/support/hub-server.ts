import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

const commit = "c0ffee".padEnd(40, "0");
const pageSize = 2;

/** A server with the part of a hub's API that fetches a dataset, for one dataset behind a token. Pages are of two files. */
export class HubServer {
  readonly token = "hf_token-of-the-tests";
  /** Paths that were asked for, each with whether the token came along. */
  readonly asked: string[] = [];
  private constructor(
    private readonly server: Server,
    private readonly files: ReadonlyMap<string, Buffer>,
  ) {}

  /** @param files Content by path. Those that end in .bin are as the hub keeps big ones. */
  static async start(files: Readonly<Record<string, string>>): Promise<HubServer> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const hub = new HubServer(server, new Map(Object.entries(files).map(([path, text]) => [path, Buffer.from(text)])));
    server.on("request", ({ url = "", headers }, response) => {
      const isAllowed = headers.authorization === `Bearer ${hub.token}`;
      hub.asked.push(`${isAllowed} ${url}`);
      const { status = 200, body, more } = isAllowed ? hub.answer(url) : { status: 401, body: "" };
      response.writeHead(status, more === undefined ? {} : { link: `<${more}>; rel="next"` }).end(body);
    });
    return hub;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private answer(url: string): { readonly status?: number; readonly body: string | Buffer; readonly more?: string } {
    const { pathname, searchParams } = new URL(url, this.url);
    const path = decodeURIComponent(pathname);
    if (path === "/api/datasets/lines/tiny/revision/refs/pr/1") return { body: JSON.stringify({ sha: commit }) };
    if (path === `/api/datasets/lines/tiny/tree/${commit}`) {
      const from = Number(searchParams.get("cursor") ?? 0);
      const all = [{ type: "directory", path: "lines", size: 0, oid: "" }, ...[...this.files].map(entryOf)];
      const next = `${this.url}${pathname}?recursive=true&cursor=${from + pageSize}`;
      return {
        body: JSON.stringify(all.slice(from, from + pageSize)),
        ...(from + pageSize < all.length && { more: next }),
      };
    }
    const body = this.files.get(path.slice(`/datasets/lines/tiny/resolve/${commit}/`.length));
    return body === undefined ? { status: 404, body: "" } : { body };
  }
}

function entryOf([path, content]: [string, Buffer]): object {
  const hash = (kind: string, ...parts: (string | Buffer)[]): string => {
    const digest = createHash(kind);
    for (const part of parts) digest.update(part);
    return digest.digest("hex");
  };
  const oid = hash("sha1", `blob ${content.length}\0`, content);
  const lfs = path.endsWith(".bin") ? { lfs: { oid: hash("sha256", content), size: content.length } } : {};
  return { type: "file", path, size: content.length, oid, ...lfs };
}
