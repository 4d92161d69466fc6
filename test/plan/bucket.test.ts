import { describe, expect, it } from "vitest";
import { bucketFor, bucketPlace, bucketProblems, resultsBucket } from "../../plan/bucket";
import { checkpointsPlan } from "../../plan/checkpoints";
import { type Experiment, parseExperiment } from "../../plan/experiment";
import { hubPlace, hubProblems } from "../../plan/hub";

const keys = "secrets: [AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]";
const experiment = (text: string): Experiment =>
  parseExperiment(`experiment: e\nworkload: {source: w}\n${text}`, "a.yaml");
const problems = (text: string): string[] =>
  bucketProblems(experiment(text)).map(({ field, message, next }) => `${field}: ${message}. ${next}`);

describe("a dataset on a hub", () => {
  const given = (source: string, variables = "{}"): Experiment =>
    experiment(`dataset: {source: "${source}"}\nenvironment: {variables: ${variables}}\n`);
  const place = (source: string): unknown => hubPlace(source, given(source));

  it("has a repository, a revision and a path", () => {
    const endpoint = "https://huggingface.co";
    const repository = "owner/name";
    expect(place("hf://datasets/owner/name")).toEqual({ endpoint, repository, revision: "main", path: "" });
    expect(place("hf://datasets/owner/name@refs%2Fpr%2F1/a/b c/")).toEqual({
      endpoint,
      repository,
      revision: "refs/pr/1",
      path: "a/b c",
    });
    for (const source of ["hf://owner/name", "hf://datasets/owner", "hf://datasets/owner/name/../x"])
      expect(place(source)).toBeUndefined();
  });

  it("is refused where it is none, or its server isn't encrypted", () => {
    const fields = (...args: Parameters<typeof given>): string[] =>
      hubProblems(given(...args)).map(({ field }) => field);
    expect(fields("hf://owner/name")).toEqual(["dataset.source"]);
    expect(fields("hf://datasets/o/n", '{HF_ENDPOINT: "http://hub.example.com"}')).toEqual([
      "environment.variables.HF_ENDPOINT",
    ]);
    expect(fields("hf://datasets/o/n", '{HF_ENDPOINT: "http://127.0.0.1:8080"}')).toEqual([]);
  });
});

describe("buckets of an experiment", () => {
  it.for(["s3://b", "http://b/c", "s3://bucket/../x", "s3://bucket//x", "s3://Bucket/x", "file:///x"])(
    "%s is none",
    (url) => {
      expect(() => experiment(`results: {bucket: "${url}"}\n`)).toThrow(/must be a bucket with or without a prefix/);
    },
  );

  it("hold results by stack and experiment, and checkpoints below", () => {
    const given = experiment(
      `results: {bucket: s3://models/runs/, home: bucket}\ncheckpoints: {sync: bucket}\nenvironment: {${keys}}\n`,
    );
    expect(bucketProblems(given)).toEqual([]);
    expect(resultsBucket(given, "dev")).toEqual({ url: "s3://models/runs/dev/e", home: true });
    expect(checkpointsPlan(given, { folder: undefined, stack: "dev" })).toMatchObject({
      sync: "bucket",
      bucket: { url: "s3://models/runs/dev/e/checkpoints" },
    });
    expect(resultsBucket(experiment(""), "dev")).toBeUndefined();
  });

  it("hold results of trials and ranks, too", () => {
    const sweep = "sweep: {list: [{a: 1}], metric: loss}";
    const results = `results: {bucket: s3://models/runs, home: bucket}\nenvironment: {${keys}}`;
    expect(problems(`${results}\ncheckpoints: {sync: bucket}\n${sweep}\n`)).toEqual([]);
    expect(problems(`${results}\ntrain: {nodes: 2}\n`)).toEqual([]);
    const bucket = { url: "s3://models/runs/dev/e", endpoint: "https://a", home: true };
    expect(bucketFor(bucket, "rank.1/e")).toEqual({ ...bucket, url: "s3://models/runs/dev/rank.1/e" });
  });

  it("have a server and a region by the variables of the common tools", () => {
    const variables = "{AWS_ENDPOINT_URL: https://a, AWS_ENDPOINT_URL_S3: https://b, AWS_DEFAULT_REGION: r}";
    const given = experiment(`environment: {variables: ${variables}}\n`);
    expect(bucketPlace("s3://models", given)).toEqual({ url: "s3://models", endpoint: "https://b", region: "r" });
    expect(bucketPlace("gs://models", given)).toEqual({ url: "gs://models", region: "r" });
  });

  it("need their keys among the secrets", () => {
    expect(
      problems("results: {bucket: s3://models/runs}\nenvironment: {secrets: [HF_TOKEN, AWS_ACCESS_KEY_ID]}\n"),
    ).toEqual([
      "results.bucket: it needs AWS_SECRET_ACCESS_KEY, which environment.secrets doesn't name. " +
        "Add it: secrets: [HF_TOKEN, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY]",
    ]);
    expect(problems("dataset: {source: gs://sets/a}\n")).toEqual([
      expect.stringMatching(/^dataset\.source: it needs GOOGLE_CREDENTIALS,/),
    ]);
  });

  it.for([
    ["results: {home: bucket}", /^results\.home: there is no bucket/],
    ["checkpoints: {sync: bucket}", /^checkpoints\.sync: there is no bucket/],
    [`results: {bucket: r2://models}\nenvironment: {${keys}}`, /Cloudflare has a server for each account/],
    [
      `results: {bucket: s3://models}\nenvironment: {${keys}, variables: {AWS_ENDPOINT_URL: "http://s3.example.com"}}`,
      /^environment\.variables\.AWS_ENDPOINT_URL: must be an https URL/,
    ],
    [`dataset: {source: s3://models/x, cache: fileSystem}\nenvironment: {${keys}}`, /^dataset\.cache: /],
    [
      `dataset: {source: s3://models/x, sha256: ${"a".repeat(64)}}\nenvironment: {${keys}}`,
      /^dataset\.sha256: is of an/,
    ],
    [`dataset: {source: "s3://models/../x"}\nenvironment: {${keys}}`, /^dataset\.source: must be a bucket and what/],
  ] as const)("refused: %s", ([text, message]) => {
    expect(problems(`${text}\n`)).toEqual([expect.stringMatching(message)]);
  });
});
