import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type ArchiveServer, serveArchive } from "../archive-server";
import { splits, writeArchive } from "../archives";
import type { FaultCase } from "../case";
import type { World } from "../world";

const digits = "0123456789abcdef".repeat(4);

/** The dataset is there, and training reads it. */
async function running(world: World): Promise<void> {
  expect((await world.onInstance("ls tiny/data")).trim()).toBe("test\ntrain\nvalid");
  expect((await world.status()).run.state).toBe("running");
}

/** A fault of the place from which the instance fetches its dataset. */
function served(
  fault: string,
  serve: Parameters<typeof serveArchive>[1],
  rest: Pick<FaultCase, "outcome" | "message" | "after" | "inDefault"> & { readonly sha256?: "right" | "wrong" },
): FaultCase {
  let server: ArchiveServer | undefined;
  const { sha256, ...more } = rest;
  const source = (world: World): object => {
    const file = readFileSync(join(world.project.folder, "served.tar.gz"));
    const right = createHash("sha256").update(file).digest("hex");
    return {
      source: server?.url,
      ...(sha256 !== undefined && { sha256: sha256 === "right" ? right : digits }),
    };
  };
  return {
    kind: "data",
    stage: "upload",
    fault,
    inject: async (world) => {
      writeArchive(world, "served.tar.gz", splits);
      server = await serveArchive(join(world.project.folder, "served.tar.gz"), serve);
      await world.cloud.letReach(server.url);
      world.configure({ dataset: source(world) });
    },
    heal: async (world) => {
      await server?.close();
      await world.heal();
    },
    ...more,
  };
}

/** Faults of a dataset that the instance fetches by itself. */
export const urlCases: readonly FaultCase[] = [
  served(
    "an address with another content than its checksum",
    {},
    {
      sha256: "wrong",
      outcome: "told",
      message: new RegExp(`The dataset's checksum is [0-9a-f]{64}, expected ${digits}\\. .*dataset\\.sha256 is wrong`),
      after: async (world) => expect((await world.onInstance("ls .lambda-train/archives")).trim()).toBe(""),
    },
  ),
  served(
    "an address where nothing is",
    { status: 404 },
    {
      outcome: "told",
      message: /404[\s\S]*could not be fetched \(curl status 22.*Check dataset\.source/,
    },
  ),
  served(
    "an address whose certificate nobody vouches for",
    { tls: true },
    {
      outcome: "told",
      message: /certificate[\s\S]*could not be fetched \(curl status 60.*Check dataset\.source/,
    },
  ),
  served(
    "an address that breaks off half-way",
    { breakOffs: 2 },
    {
      sha256: "right",
      outcome: "ridden out",
      after: running,
    },
  ),
  served(
    "an address that answers 503 for a while",
    { status: 503, failures: 2 },
    {
      outcome: "ridden out",
      after: running,
    },
  ),
  served(
    "an address that breaks off and cannot go on in the middle",
    { breakOffs: 1, ranges: false },
    {
      sha256: "right",
      outcome: "ridden out",
      after: running,
    },
  ),
];
