import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** How the server of an archive misbehaves. */
export interface Misbehaviour {
  /** Status of every answer, or of the first `failures` GETs. */
  readonly status?: number;
  readonly failures?: number;
  /** So many GETs are cut in the middle. */
  readonly breakOffs?: number;
  /** Whether a part can be asked for. Default true. */
  readonly ranges?: boolean;
  /** Milliseconds before a GET is answered. */
  readonly delayMs?: number;
  /** HTTPS with a certificate of its own making. */
  readonly tls?: boolean;
}

/** A server of one archive. */
export interface ArchiveServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves a file on a free port of 127.0.0.1. Instances reach it once `TestCloud.letReach` lets them. */
export async function serveArchive(file: string, misbehaviour: Misbehaviour): Promise<ArchiveServer> {
  const answer = answering(readFileSync(file), misbehaviour);
  const server: Server = misbehaviour.tls === true ? createTlsServer(ownCertificate(), answer) : createServer(answer);
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${misbehaviour.tls === true ? "https" : "http"}://127.0.0.1:${port}/data.tar.gz`,
    close: () => {
      server.closeAllConnections();
      return new Promise((closed) => server.close(() => closed()));
    },
  };
}

function answering(
  content: Buffer,
  { status, failures = Number.POSITIVE_INFINITY, breakOffs = 0, ranges = true, delayMs = 0 }: Misbehaviour,
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  let asked = 0;
  return async (request, response) => {
    const isGet = request.method === "GET";
    if (isGet) asked += 1;
    if (isGet) await sleep(delayMs);
    if (status !== undefined && asked <= failures) {
      response.writeHead(status).end();
      return;
    }
    const range = ranges ? /bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] : undefined;
    const from = Number(range ?? 0);
    response.writeHead(range === undefined ? 200 : 206, {
      "content-length": content.length - from,
      ...(range !== undefined && { "content-range": `bytes ${from}-${content.length - 1}/${content.length}` }),
    });
    const to = from + Math.ceil((content.length - from) / 2);
    if (!isGet) response.end();
    else if (asked <= breakOffs) response.write(content.subarray(from, to), () => response.destroy());
    else response.end(content.subarray(from));
  };
}

function ownCertificate(): { key: Buffer; cert: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), "lambda-train-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  try {
    const subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
    const out = ["-keyout", key, "-out", cert];
    execFileSync("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", ...subject, ...out], {
      stdio: "ignore",
    });
    return { key: readFileSync(key), cert: readFileSync(cert) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
