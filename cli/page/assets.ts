import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { packageFolder } from "../../local/paths";

/** A file of the page as it is sent. */
export interface Asset {
  readonly type: string;
  readonly body: Buffer;
}

const types: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
};

/** Libraries, as their packages bring them: no build, no other server. */
const libraries: Readonly<Record<string, () => string>> = {
  "/lib/preact.js": () => require.resolve("preact"),
  "/lib/preact-hooks.js": () => require.resolve("preact/hooks"),
  "/lib/htm.js": () => join(dirname(require.resolve("htm")), "htm.module.js"),
  "/lib/uplot.js": () => join(dirname(require.resolve("uplot")), "uPlot.esm.js"),
  "/lib/uplot.css": () => join(dirname(require.resolve("uplot")), "uPlot.min.css"),
};

/** The page's policy admits the one script that is written into it, where its modules find the libraries, by its hash. */
export function importMapHash(html: Buffer): string {
  const [, map = ""] = /<script type="importmap">([^<]*)<\/script>/.exec(html.toString()) ?? [];
  return `sha256-${createHash("sha256").update(map).digest("base64")}`;
}

/** All files of the page, path → content. Nothing else is served. */
export function readAssets(): Map<string, Asset> {
  const page = join(packageFolder(), "cli", "page", "browser");
  const own = readdirSync(page, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const assets = new Map<string, Asset>();
  const add = (path: string, file: string): void => {
    assets.set(path, { type: types[extname(file)] ?? "application/octet-stream", body: readFileSync(file) });
  };
  for (const file of own) add(file.slice(page.length).replaceAll("\\", "/"), file);
  for (const [path, file] of Object.entries(libraries)) add(path, file());
  add("/", join(page, "index.html"));
  return assets;
}
