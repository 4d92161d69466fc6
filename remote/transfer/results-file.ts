import type { Manifest } from "../types";
import { checkManifest } from "./manifest";

/** The file in downloaded results that says what they are. */
export const resultsFile = "manifest.json";

/** Content of that file. */
export interface ResultsRecord {
  readonly manifest: Manifest;
  /** ISO 8601 time at which the results came home. */
  readonly createdAt: string;
  /** Where they came from. */
  readonly source: string;
}

/** Text of the file: a manifest with two facts more. */
export function formatResults({ manifest, createdAt, source }: ResultsRecord): string {
  return `${JSON.stringify({ createdAt, source, files: manifest.files }, null, 1)}\n`;
}

/** Reads the text of such a file; `origin` names it in errors. */
export function parseResults(text: string, origin: string): ResultsRecord {
  let value: { createdAt?: unknown; source?: unknown; files?: unknown };
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${origin} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (!Array.isArray(value?.files) || typeof value.createdAt !== "string" || typeof value.source !== "string") {
    throw new Error(`${origin} is not a manifest of results: it needs createdAt, source and files.`);
  }
  const manifest = { files: value.files };
  checkManifest(manifest, origin);
  return { manifest, createdAt: value.createdAt, source: value.source };
}
