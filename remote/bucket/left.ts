import { atMost } from "../../local/at-most";
import { bucketFor, runOfBucket } from "../../plan/bucket";
import type { BucketPlace, EvaluationPlan } from "../../plan/types";
import { parseSource } from "../transfer/results-source";
import { numberOf } from "../trials";
import { lookInBucket, type SeenInBucket } from "./look";
import { runsInBucket } from "./runs";

/** An instance that is gone, and where its runs' results went. */
interface Left {
  readonly instanceId: string;
  /** Of its run, or of the sweep whose worker that was. */
  readonly bucket: BucketPlace;
  readonly isWorker: boolean;
  readonly evaluation?: EvaluationPlan;
}

/** What a run has left in a bucket. */
export interface LeftInBucket {
  readonly experiment: string;
  readonly seen: SeenInBucket;
}

/** Looks at a time: each runs rclone. */
const sideBySide = 8;

/**
 * What an instance's run has left in its bucket, or the trials of its worker, verified from this machine. Nothing of what other
 * instances have left there.
 */
export async function leftInBucket(
  { instanceId, bucket, isWorker, evaluation }: Left,
  secrets: Readonly<Record<string, string>>,
): Promise<LeftInBucket[]> {
  const own = runOfBucket(bucket);
  const names = isWorker
    ? (await runsInBucket(bucket, secrets, { isSweep: true, isTogether: false })).filter(
        (name) => numberOf(name, own) !== undefined,
      )
    : [own];
  const inTurn = atMost(sideBySide);
  const looks = names.map((name) =>
    inTurn(async (): Promise<LeftInBucket[]> => {
      const seen = await lookInBucket(isWorker ? bucketFor(bucket, name) : bucket, secrets, evaluation);
      const isIts = seen !== undefined && parseSource(seen.source)?.instance === instanceId;
      return isIts ? [{ experiment: name, seen }] : [];
    }),
  );
  return (await Promise.all(looks)).flat();
}
