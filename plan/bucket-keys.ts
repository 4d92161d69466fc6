import { z } from "zod";

/** A bucket and a prefix, as `s3://bucket/prefix`. */
export const bucketUrl = /^(s3|r2|gs):\/\/[a-z0-9][a-z0-9._-]{1,61}[a-z0-9](\/(?!\.{0,2}(\/|$))[^/\0\n]+)*\/?$/;

/** Keys of `results` about a bucket. */
export const bucketKeys = {
  bucket: z
    .string({ error: "must be a bucket, as s3://bucket/prefix" })
    .regex(bucketUrl, "must be a bucket with or without a prefix, as s3://bucket/prefix, r2://… or gs://…")
    .optional()
    .describe(
      "Bucket and prefix (`s3://bucket/prefix`, `r2://…`, `gs://…`) to which the instance copies the results when the run " +
        "has ended, below <stack>/<experiment>; each trial's of a sweep below <stack>/<experiment>-t<number>. Its keys are in `environment.secrets`, the URL of a server of your own in " +
        "`environment.variables.AWS_ENDPOINT_URL`.",
    ),
  home: z
    .enum(["here", "bucket"], { error: "must be here or bucket" })
    .default("here")
    .describe(
      "Where results must be before an instance ends. `here`: on your machine, verified. `bucket`: in `bucket`, verified " +
        "there; `down` downloads nothing.",
    ),
};
