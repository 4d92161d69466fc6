"""What lies in a bucket of a sweep's trials that have ended well: another machine may be gone that has trained them."""

import json
import os
import re
import shutil
import tempfile

from base.document import Maybe, takes
from base.files import BASE, own_folder
from base.say import die, word
from base.secrets import take_once
from bucket.bucket import BUCKET, Bucket, BucketError
from sweep.metric import named, numbers_of

MANIFEST = "manifest.json"
BEGINS = '"files":['
# As prunedReason in remote/trial-part.ts.
PRUNED = "pruned"


@takes(experiment=str, bucket=BUCKET, metric=str, metrics=Maybe(str), once=Maybe(str))
def known(experiment, bucket, metric, metrics, once):
    """
    `bucket`: where the sweep's own results go, beside which its trials' lie. `metrics`: glob of the evaluation's files; `once`:
    name of the bucket's keys. Prints of each trial that is whole there: {"number", "reason", "values", "value"}.
    """
    url, _, name = bucket["url"].rpartition("/")
    if name != experiment:
        die(2, f"{bucket['url']} is no place of {experiment}.")
    own_folder(BASE)
    folder = tempfile.mkdtemp(prefix="bucket-", dir=BASE)
    try:
        place = Bucket({**bucket, "url": url}, take_once(once) or None)
        word({"trials": trials_in(place, experiment, folder, (metric, metrics))})
    except BucketError as error:
        die(1, f"What the bucket holds of {experiment} can't be told. {error}.")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def trials_in(place, experiment, folder, asked):
    """Two listings and two copies, however many trials there are."""
    own = f"/{experiment}-t*/*"
    there = {}
    for path, told in place.listing(only=[f"{own}/**"]).items():
        run, start, inner = (path.split("/", 2) + ["", ""])[:3]
        if re.fullmatch(r"\d+", run[len(experiment) + 2 :]):
            there.setdefault((run, start), {})[inner] = told
    if not there:
        return []
    metric, metrics = asked
    place.fetch(folder, only=[f"{own}/{MANIFEST}"])
    if metrics is not None:
        place.fetch(folder, only=[f"{own}/{metrics}"])
    found = {}
    for (run, start), listed in sorted(there.items()):
        at = os.path.join(folder, run, start)
        ran = ended_well(os.path.join(at, MANIFEST), listed)
        if ran is not None:
            found[run] = {
                "number": int(run[len(experiment) + 2 :]),
                "reason": ran["attempts"][-1].get("stopReason"),
                "values": (ran.get("trial") or {}).get("values"),
                "value": value_below(at, metric),
            }
    return list(found.values())


def ended_well(manifest, listed):
    """What ran, where it has ended well and all of it is there as its manifest has it; else None."""
    try:
        with open(manifest, encoding="utf-8") as file:
            head = file.readline().rstrip("\n")
            if not head.endswith(BEGINS):
                return None
            ran = json.loads(f"{head}]}}")["run"]
            last = ran["attempts"][-1]
            if (last.get("exitCode"), last.get("stopReason")) != (0, None) and last.get("stopReason") != PRUNED:
                return None
            return ran if all(is_there(json.loads(line.rstrip(",\n")), listed) for line in lines_of(file)) else None
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def lines_of(file):
    for line in file:
        if line.startswith("]}"):
            return
        yield line
    raise ValueError("it ends in the middle")


def is_there(entry, listed):
    if entry.get("folder"):
        return True
    size, md5 = listed.get(entry["path"], (None, None))
    return size == entry["size"] and (None in (md5, entry.get("md5")) or md5 == entry["md5"])


def value_below(folder, metric):
    """The metric in the evaluation's files, as sweep/metric.py has it; None where none tells it."""
    for above, _, names in os.walk(folder):
        for name in names:
            numbers = {} if name == MANIFEST else numbers_of(os.path.join(above, name))
            found = named(numbers, metric)
            if found is not None:
                return numbers[found]
    return None
