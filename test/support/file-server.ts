import { createReadStream, statSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { basename } from "node:path";
import { pipeline } from "node:stream";

/** Serves one file, piece by piece, on a free port of 127.0.0.1. Instances reach it once `TestCloud.letReach` lets them. */
export async function serveFile(path: string): Promise<{ readonly url: string; close(): Promise<void> }> {
  const { size } = statSync(path);
  const server = createServer(({ method, headers }, response) => {
    const range = /bytes=(\d+)-/.exec(headers.range ?? "")?.[1];
    const start = Number(range ?? 0);
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": size - start,
      "accept-ranges": "bytes",
      ...(range !== undefined && { "content-range": `bytes ${start}-${size - 1}/${size}` }),
    });
    if (method === "HEAD") response.end();
    else pipeline(createReadStream(path, { start }), response, () => {});
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/${basename(path)}`,
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}
