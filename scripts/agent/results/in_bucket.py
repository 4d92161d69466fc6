"""
The results of a run in a bucket: `results.bucket`.

<bucket>/<stack>/<experiment>/<first start>-<settings>/
  A trial's is <first start there>-<settings>-<instance>: another machine may have trained it, too.
  manifest.json    as a download's at home (remote/transfer/results-file.ts): what ran, and each file with size and SHA-256
  …                the files, as they lie at home after a download
The manifest comes last, when all the rest was compared with what is here by its checksum.
"""

import hashlib
import json
import os
import shutil
import time

from base.document import Maybe, takes
from base.files import moment, now
from base.locks import hold
from base.say import die, word
from base.threads import in_threads
from bucket.bucket import BUCKET, Bucket, BucketError, MissingKeys, digests_of
from results import rules, written
from results.at_home import placed
from results.elsewhere import Look
from results.quoted import texts_of
from results.record import record_of
from results.safety import Unsafe, changed_since, source_of
from run.configuration import own_attempts
from run.state import Run
from run.sweeps import is_trial

OWN_LOGS = ("run/train.log", "run/evaluate.log")
# From which size on a file with a checkpoint's name counts as one.
CHECKPOINT_BYTES = 1 << 20
# Seconds before another try.
PAUSES = (2, 10)
NOTHING = hashlib.sha256(b"").hexdigest()


def is_kept(attempt):
    """Whether the results as they are now were put into the bucket."""
    kept = attempt.get("inBucket")
    return kept is not None and "at" in kept and changed_since(kept["at"], attempt.run) is None


def keep(attempt, told, instance):
    """Puts the results into the bucket and compares all of them. What it did. @raises BucketError, Unsafe, OSError"""
    run = attempt.run
    lock = hold(run.path("bucket.lock"))
    try:
        # What is written from here on isn't in it.
        begun = moment()
        bucket = Bucket(told)
        bucket.reach()
        folder = folder_of(run, instance)
        paths, seen = placed(run)
        entries, files = entries_of(paths)
        stage = run.path("bucket.stage")
        try:
            link_all({name: paths[name] for name in files}, stage)
            bucket.send(stage, folder)
        finally:
            shutil.rmtree(stage, ignore_errors=True)
        bucket.require_same(files, folder)
        changed = changed_since(begun, run)
        if changed is not None:
            raise Unsafe(f"{changed} was written while it was copied")
        put_manifest(bucket, folder, run, source_of(attempt, instance), entries)
        done = {"at": begun, "url": bucket.shown(folder), **sums_of(entries)}
        attempt.put(inBucket=done)
        run.tell("in bucket", attempt=attempt.number)
        return {**done, "written": seen, "compared": True}
    finally:
        os.close(lock)


def keep_or_trust(attempt, told, instance):
    """Without the keys, results that were compared there at the run's end and haven't changed since count as they are."""
    try:
        return keep(attempt, told, instance)
    except MissingKeys:
        known = attempt.get("inBucket") or {}
        if not known.get("url", "").startswith(f"{told['url']}/") or not is_kept(attempt):
            raise
        run = attempt.run
        return {**known, "written": written.note(run, Look(run), 0), "compared": False}


def folder_of(run, instance):
    """
    One for each configuration: what ran with other settings never replaces what is there. Of a trial one for each instance as
    well: a machine that was out of reach may come back with less than the one that has trained it since.
    """
    attempts, mark = own_attempts(run), ""
    if is_trial(run, run.newest().get("description")):
        attempts = [attempt for attempt in attempts if not attempt.has("restored")] or attempts
        mark = f"-{instance[:8]}"
    first = attempts[0]
    started = (first.get("startedAt") or now()).replace("-", "").replace(":", "")
    return f"{started}-{(first.asked_hash() or '')[:12]}{mark}"


def entries_of(paths):
    """
    Lines of the manifest, and of what has content: path -> (size, MD5, SHA-256). A link that leads nowhere has none, and a
    bucket holds no links.
    """
    paths = {name: path for name, path in paths.items() if os.path.exists(path)}
    names = sorted(paths, key=lambda name: name.encode("utf-16-be"))
    lines = in_threads(lambda name: entry_of(name, paths[name]), names)
    files = {line["path"]: (line["size"], md5, line["sha256"]) for line, md5 in lines if md5 is not None}
    return [line for line, _ in lines], files


def entry_of(name, path):
    if os.path.isdir(path):
        return {"path": name, "size": 0, "sha256": NOTHING, "executable": False, "folder": True}, None
    info = os.stat(path)
    md5, sha256 = digests_of(path)
    told = {"path": name, "size": info.st_size, "sha256": sha256, "executable": bool(info.st_mode & 0o100)}
    # A bucket's listing tells MD5: whoever looks later needs to read no object.
    return {**told, "md5": md5, "mtime": info.st_mtime_ns // 1_000_000}, md5


def link_all(files, stage):
    """A folder of links in the layout of the bucket: it takes no disk."""
    shutil.rmtree(stage, ignore_errors=True)
    os.makedirs(stage)
    for name, path in files.items():
        link = os.path.join(stage, name)
        os.makedirs(os.path.dirname(link), exist_ok=True)
        os.symlink(os.path.realpath(path), link)


def put_manifest(bucket, folder, run, source, entries):
    ran = record_of(run)
    told = "" if ran is None else f'"run":{json.dumps(ran)},'
    head = f'{{"createdAt":{json.dumps(now())},"source":{json.dumps(source)},{told}"files":['
    text = "\n".join([head, *(f"{json.dumps(each)}," for each in entries[:-1]), *map(json.dumps, entries[-1:]), "]}", ""])
    path = run.path("bucket.manifest")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    bucket.send_file(path, folder, "manifest.json")
    if bucket.sha256(folder, "manifest.json") != digests_of(path)[1]:
        raise BucketError(f"{bucket.shown(folder, 'manifest.json')} isn't as it was written")


def sums_of(entries):
    files = [each for each in entries if "folder" not in each]
    own = [each for each in files if each["path"] not in OWN_LOGS]
    return {
        "files": len(files),
        "bytes": sum(each["size"] for each in files),
        "workloadFiles": len(own),
        "hasCheckpoint": any(each["size"] >= CHECKPOINT_BYTES and rules.CHECKPOINT.search(each["path"]) for each in own),
    }


def try_keep(attempt):
    """The same as its description asks for; None where it is done, else why not."""
    told = (attempt.get("description") or {}).get("bucket")
    try:
        if not is_kept(attempt):
            keep(attempt, told, told["instance"])
        return None
    except (BucketError, Unsafe, OSError) as error:
        problem = str(error)
    except SystemExit as end:
        # rclone could not be installed.
        problem = getattr(end, "text", str(end))
    attempt.try_put(inBucket={"url": told["url"], "problem": problem})
    return problem


@takes(experiment=str)
def keep_now(experiment):
    """
    What a supervisor does at the end of its run. On a machine of a sweep the next trial begins meanwhile, and may write to a
    file elsewhere that still counted as this one's: the next try finds it settled.
    """
    problem = try_keep(Run(experiment).newest())
    for pause in PAUSES:
        if problem is None:
            return
        time.sleep(pause)
        problem = try_keep(Run(experiment).newest())
    if problem is not None:
        die(1, problem)


@takes(experiment=str, instance=str, bucket=BUCKET, metrics=Maybe(str))
def keep_told(experiment, instance, bucket, metrics):
    """
    Puts the results into this bucket and compares them, although that was done before. Prints what is there, as JSON.
    `metrics`: glob of the files among the outputs whose text is told as well.
    """
    attempt = Run(experiment).newest()
    if attempt is None:
        die(1, f"There is no run of {experiment} on this instance.")
    try:
        kept = keep_or_trust(attempt, bucket, instance)
        word({**kept, "run": record_of(attempt.run), "metrics": texts_of(attempt.get("outputPath"), metrics)})
    except (BucketError, Unsafe) as error:
        die(1, f"The results of {experiment} are not in {bucket['url']}: {error}.")
