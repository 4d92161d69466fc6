"""
Copies of checkpoints in a bucket: `checkpoints.sync: bucket`. They are made as on a file system (snapshots.py), in a folder
of ours, and sent from there:

<bucket>/<stack>/<experiment>/checkpoints/<time>-<attempt>/   snapshot.json comes last
"""

import json
import os
import shutil

from base.document import takes
from base.files import BASE, inside
from base.say import die, word
from bucket.bucket import BUCKET, Bucket, BucketError, digests_of
from results.snapshot_check import FILE, Damaged, check

FOLDER = os.path.join(BASE, "snapshots")


def send(to, name, sync):
    """Sends a copy and compares it, removes old ones there, and here all but its record. @raises BucketError, OSError"""
    folder = os.path.join(to, name)
    bucket = Bucket(sync["bucket"])
    record = os.path.join(folder, FILE)
    try:
        bucket.reach()
        files = {path: digests(os.path.join(folder, path)) for path in files_in(folder) if path != FILE}
        aside = f"{folder}.json"
        os.rename(record, aside)
        bucket.send(folder, name)
        bucket.require_same(files, name)
        bucket.send_file(aside, name, FILE)
        bucket.require_same({FILE: digests(aside)}, name)
    except (BucketError, OSError):
        # The next look makes it anew.
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.exists(f"{folder}.json"):
            os.unlink(f"{folder}.json")
        raise
    shutil.rmtree(folder)
    os.makedirs(folder)
    os.rename(aside, record)
    for old in bucket.folders()[: -sync["keep"]]:
        bucket.remove(old)


def digests(path):
    return (os.path.getsize(path), *digests_of(path))


def files_in(folder):
    for above, _, names in os.walk(folder):
        for name in names:
            yield os.path.relpath(os.path.join(above, name), folder)


def forget(experiment):
    """Removes what was fetched to be put back."""
    shutil.rmtree(fetched_to(experiment), ignore_errors=True)


def fetched_to(experiment):
    return os.path.join(FOLDER, f"{experiment}.fetched")


@takes(experiment=str, hash=str, bucket=BUCKET)
def fetch(experiment, hash, bucket):
    """Fetches the newest whole copy with these settings. Prints the folder that holds it, and which were passed over."""
    try:
        folder, passed = fetch_newest(experiment, hash, bucket)
    except BucketError as error:
        die(1, f"No checkpoint can be fetched. {error}.")
    word({"folder": folder, "passed": passed})


def fetch_newest(experiment, hash, bucket):
    """Gives the folder that holds it, and which were passed over. @raises BucketError"""
    to, passed = fetched_to(experiment), []
    forget(experiment)
    place = Bucket(bucket)
    for name in reversed(place.folders()):
        if not inside("", name) or not is_of(place.text(name, FILE), hash):
            continue
        folder = os.path.join(to, name)
        os.makedirs(folder)
        place.fetch(folder, name)
        try:
            check(folder)
            break
        except (Damaged, OSError, KeyError, TypeError) as error:
            passed.append(f"{name}: {error}")
            shutil.rmtree(folder)
    return to, passed


def is_of(text, hash):
    try:
        told = json.loads(text or "{}")
        return (told.get("run") or {}).get("hash") == hash
    except (ValueError, AttributeError):
        return False
