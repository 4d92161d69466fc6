import { isIPv4 } from "node:net";
import { archiveName } from "./archive-name";
import { bucketUrl } from "./bucket-keys";
import type { Experiment } from "./experiment";
import type { Problem } from "./problems";
import { secretsOf } from "./secrets";
import type { BucketPlace, ResultsBucket } from "./types";

/** Secrets without which a bucket isn't reached, by the scheme of its URL. As NEEDED in scripts/agent/bucket/bucket.py. */
const needed: Readonly<Record<string, readonly string[]>> = {
  s3: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
  r2: ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
  gs: ["GOOGLE_CREDENTIALS"],
};

/** Whether a dataset's source lies in a bucket. */
export function isBucket(source: string): boolean {
  return /^(s3|r2|gs):\/\//.test(source);
}

/** A place in a bucket, with what `environment.variables` tells of its server. */
export function bucketPlace(url: string, { environment }: Pick<Experiment, "environment">): BucketPlace {
  const { variables } = environment;
  const endpoint = url.startsWith("gs:")
    ? variables.STORAGE_EMULATOR_HOST
    : (variables.AWS_ENDPOINT_URL_S3 ?? variables.AWS_ENDPOINT_URL);
  const region = variables.AWS_REGION ?? variables.AWS_DEFAULT_REGION;
  return {
    url: url.replace(/\/$/, ""),
    ...(endpoint !== undefined && { endpoint }),
    ...(region !== undefined && { region }),
  };
}

/** Where the results of an experiment go; undefined where they go to no bucket. */
export function resultsBucket(
  experiment: Pick<Experiment, "experiment" | "results" | "environment">,
  stack: string,
): ResultsBucket | undefined {
  const { bucket, home } = experiment.results;
  if (bucket === undefined) return undefined;
  const place = bucketPlace(bucket, experiment);
  return { ...place, url: `${place.url}/${stack}/${experiment.experiment}`, home: home === "bucket" };
}

/** The same bucket for another run of the stack: `name` in the place of the experiment's, as `<experiment>-t3`. */
export function bucketFor<T extends BucketPlace>(bucket: T, name: string): T {
  return { ...bucket, url: `${bucket.url.slice(0, bucket.url.lastIndexOf("/"))}/${name}` };
}

/** Which run's a place in a bucket is, as {@link bucketFor} was told. */
export function runOfBucket({ url }: BucketPlace): string {
  return url.slice(url.lastIndexOf("/") + 1);
}

/** What is wrong with an experiment's buckets, and with what they need. */
export function bucketProblems(experiment: Experiment): Problem[] {
  const { results, checkpoints, dataset } = experiment;
  const { bucket, home } = results;
  const problems: Problem[] = [];
  const refuse = (field: string, value: unknown, message: string, next: string): void =>
    void problems.push({ field, value, message, next });
  if (bucket === undefined && home === "bucket")
    refuse("results.home", home, "there is no bucket", "Set results.bucket, as s3://bucket/prefix");
  if (bucket === undefined && checkpoints.sync === "bucket")
    refuse("checkpoints.sync", "bucket", "there is no bucket", "Set results.bucket, as s3://bucket/prefix");
  if (bucket !== undefined) problems.push(...needs("results.bucket", bucket, experiment));
  const source = dataset?.source ?? "";
  if (!isBucket(source)) return problems;
  if (!bucketUrl.test(source))
    refuse("dataset.source", source, "must be a bucket and what lies in it, as s3://bucket/prefix", "Correct it");
  else problems.push(...needs("dataset.source", source, experiment));
  if (dataset?.sha256 !== undefined && !archiveName.test(source))
    refuse("dataset.sha256", dataset.sha256, "is of an archive, and dataset.source is a folder", "Remove it");
  if (dataset?.cache === "fileSystem")
    refuse("dataset.cache", "fileSystem", "a dataset from a bucket can't be kept on a file system", "Leave it out");
  return problems;
}

/** What a bucket needs besides its URL. */
function needs(field: string, url: string, experiment: Experiment): Problem[] {
  const { environment } = experiment;
  const [scheme = ""] = url.split(":");
  const names = secretsOf(environment.secrets).map(({ name }) => name);
  const missing = (needed[scheme] ?? []).filter((name) => !names.includes(name));
  const problems: Problem[] = [];
  if (missing.length > 0) {
    const message = `it needs ${missing.join(" and ")}, which environment.secrets doesn't name`;
    const next = `Add ${missing.length > 1 ? "them" : "it"}: secrets: [${[...names, ...missing].join(", ")}]`;
    problems.push({ field, value: url, message, next });
  }
  const { endpoint } = bucketPlace(url, experiment);
  if (scheme === "r2" && endpoint === undefined) {
    const next = "Set environment.variables.AWS_ENDPOINT_URL to https://<account>.r2.cloudflarestorage.com";
    problems.push({ field, value: url, message: "Cloudflare has a server for each account", next });
  }
  if (endpoint !== undefined && !isServer(endpoint)) {
    const message = "must be an https URL, or http at a private address";
    const name = scheme === "gs" ? "STORAGE_EMULATOR_HOST" : "AWS_ENDPOINT_URL";
    problems.push({ field: `environment.variables.${name}`, value: endpoint, message, next: "Correct it" });
  }
  return problems;
}

/** Unencrypted within a network of the user's own alone. */
function isServer(endpoint: string): boolean {
  if (!URL.canParse(endpoint)) return false;
  const { protocol, hostname, username, password } = new URL(endpoint);
  if (username !== "" || password !== "") return false;
  const isPrivate = isIPv4(hostname) && /^(127\.|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.)/.test(hostname);
  return protocol === "https:" || (protocol === "http:" && isPrivate);
}
