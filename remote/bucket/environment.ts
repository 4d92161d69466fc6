import { devNull } from "node:os";
import type { BucketPlace } from "../../plan/types";

/**
 * The environment by which an rclone of this machine reaches a bucket, as settings() in scripts/agent/bucket/bucket.py makes
 * it there: the keys are in no argument and in no file.
 */
export function rcloneEnvironment(
  { url, endpoint, region }: BucketPlace,
  secrets: Readonly<Record<string, string>>,
): NodeJS.ProcessEnv {
  const plain = Object.entries(process.env).filter(([name]) => !/^(AWS_|RCLONE_|GOOGLE_)/.test(name));
  const own: Readonly<Record<string, string | undefined>> = url.startsWith("gs:")
    ? {
        type: "google cloud storage",
        service_account_credentials: secrets.GOOGLE_CREDENTIALS?.replaceAll("\n", " "),
        bucket_policy_only: "true",
        endpoint: endpoint && `${endpoint.replace(/\/$/, "")}/storage/v1/`,
      }
    : {
        type: "s3",
        provider: url.startsWith("r2:") ? "Cloudflare" : endpoint === undefined ? "AWS" : "Other",
        access_key_id: secrets.AWS_ACCESS_KEY_ID,
        secret_access_key: secrets.AWS_SECRET_ACCESS_KEY,
        session_token: secrets.AWS_SESSION_TOKEN,
        region: region ?? (url.startsWith("r2:") ? "auto" : "us-east-1"),
        endpoint,
      };
  const named = Object.entries({ ...own, no_check_bucket: "true" }).flatMap(([name, value]) =>
    value === undefined ? [] : [[`RCLONE_CONFIG_BUCKET_${name.toUpperCase()}`, value] as const],
  );
  return { ...Object.fromEntries(plain), RCLONE_CONFIG: devNull, ...Object.fromEntries(named) };
}
