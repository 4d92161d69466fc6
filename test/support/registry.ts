import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A registry of npm packages that has a few, and nothing else. */
export class Registry {
  /** What was asked for and isn't there. */
  readonly refused: string[] = [];
  private readonly tarballs = new Map<string, Buffer>();
  private readonly packages = new Map<string, object>();
  readonly url: string;

  private constructor(private readonly server: Server) {
    this.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    server.on("request", ({ url = "" }, response) => {
      const path = decodeURIComponent(url.slice(1));
      const found = this.tarballs.get(path) ?? this.packages.get(path);
      if (found === undefined) this.refused.push(path);
      const body = found === undefined || Buffer.isBuffer(found) ? found : JSON.stringify(found);
      response.writeHead(body === undefined ? 404 : 200).end(body);
    });
  }

  /** @param tarballs Of packages, by name. */
  static async start(tarballs: Readonly<Record<string, string>>): Promise<Registry> {
    const server = createServer();
    await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
    const registry = new Registry(server);
    for (const [name, file] of Object.entries(tarballs)) registry.add(name, readFileSync(file), manifestOf(file));
    return registry;
  }

  /** Adds a package of which nobody needs what is in it. */
  addEmpty(name: string, version: string): void {
    const folder = mkdtempSync(join(tmpdir(), "lambda-train-empty-"));
    mkdirSync(join(folder, "package"));
    writeFileSync(join(folder, "package/package.json"), JSON.stringify({ name, version }));
    const tarball = execFileSync("tar", ["-cz", "-C", folder, "package"]);
    rmSync(folder, { recursive: true });
    this.add(name, tarball, { version });
  }

  private add(name: string, tarball: Buffer, manifest: { readonly version: string }): void {
    const path = `${name}.tgz`;
    this.tarballs.set(path, tarball);
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    const { version } = manifest;
    const versions = { [version]: { name, ...manifest, dist: { tarball: `${this.url}/${path}`, integrity } } };
    this.packages.set(name, { name, "dist-tags": { latest: version }, versions });
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

function manifestOf(tarball: string): { readonly version: string } {
  return JSON.parse(execFileSync("tar", ["-xzOf", tarball, "package/package.json"], { encoding: "utf8" }));
}
