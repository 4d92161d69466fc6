"""Whether the results of the runs on this instance are anywhere else than on its disk, which ends with it."""

import glob
import itertools
import json
import os
import re
import shutil
import time

from base.checksum import sha256_of
from base.files import moment, read_json
from base.threads import in_threads
from results import written
from results.elsewhere import Look
from results.record import record_of
from run.configuration import own_attempts
from run.output import folders_of

# As in remote/transfer/names.ts.
OWN_NAMES = ("manifest.json", "run", "beside", "earlier")
BLOCK = 1 << 16
ZEROS = bytes(BLOCK)
BATCH_FILES = 1000


class Unsafe(Exception):
    """Results that are nowhere else, and why."""


def kept_apart(name):
    """A name that none of ours has: `run` becomes `run.workload`, that becomes `run.workload.workload`."""
    plain = re.sub(r"(\.workload)+$", "", name.lower())
    return f"{name}.workload" if plain in OWN_NAMES else name


def named(folders):
    """A name of its own for each: its last part, with a number where an earlier one has that already."""
    plain = {folder: kept_apart(os.path.basename(folder)) for folder in folders}
    taken = set(plain.values())
    places = {}
    for folder, base in plain.items():
        name = base
        number = 2
        while name in places or (name != base and name in taken):
            name = f"{base}-{number}"
            number += 1
        places[name] = folder
    return places


def places_of(run):
    """What a download brings home: name -> folder or file."""
    places = outputs_of(run)
    items, unread = written.items_of(Look(run))
    if unread:
        raise Unsafe(f"{unread[0]} cannot be read")
    places.update({name: path for name, path, _, link in items if link is None})
    for copy in copies_of(run):
        places[f"aside/{os.path.basename(copy)}"] = copy
    return places


def copies_of(run):
    """Results of earlier configurations that are not at home (see aside.py)."""
    records = glob.glob(os.path.join(glob.escape(run.path("aside")), "*", "places.json"))
    return sorted(os.path.dirname(record) for record in records if ".partial" not in record)


def outputs_of(run):
    """Of these the outputs and the run's logs: name -> folder or log."""
    places = named(sorted(folders_of(own_attempts(run))))
    for log in (run.log, run.evaluation_log):
        places[f"run/{os.path.basename(log)}"] = log
    return {name: place for name, place in places.items() if os.path.lexists(place)}


def files_of(place, empty_folders=False):
    """Every file below a place, links followed, each folder once; also links that lead nowhere, and empty folders."""
    if not os.path.isdir(place):
        yield place
        return
    seen = set()
    for folder, folders, files in os.walk(place, followlinks=True, onerror=cannot_read):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        if empty_folders and not folders and not files:
            yield folder
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path) or not os.path.exists(path):
                yield path


def cannot_read(error):
    """What cannot be listed may hold results."""
    if not isinstance(error, FileNotFoundError):
        raise Unsafe(f"{error.filename} cannot be read: {error.strerror}")


def changed_since(since, run):
    """The first file of the results that was written after a time, or None."""
    for place in places_of(run).values():
        for path in files_of(place):
            try:
                if os.lstat(path).st_ctime_ns > since:
                    return path
            except FileNotFoundError:
                pass
    return None


def is_fetched(attempt):
    """True where the results as they are now are at home; raises Unsafe where they have changed since."""
    fetched, run = attempt.get("fetched"), attempt.run
    if copies_of(run):
        return False
    if attempt.has("apart"):
        return True
    if fetched is None:
        return False
    changed = changed_since(fetched, run)
    if changed is not None:
        raise Unsafe(f"{changed} was written after the results of {run.experiment} were fetched")
    return True


def is_mounted(folder):
    """True where something is mounted right there: a mere folder would be part of the disk that ends."""
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split(" ")[4].replace("\\040", " ") == folder for line in mounts)


def pairs_of(run, target):
    """What is copied to where below a folder."""
    for name, place in places_of(run).items():
        for path in files_of(place, empty_folders=True):
            within = os.path.relpath(path, place) if os.path.isdir(place) else ""
            yield path, os.path.normpath(os.path.join(target, name, within))


def copy_file(source, target):
    """Copies a file to a disk for good; what is nothing but zeros stays a hole."""
    with open(source, "rb", buffering=0) as reading, open(target, "wb", buffering=0) as writing:
        size = 0
        while True:
            block = reading.read(BLOCK)
            if not block:
                break
            size += len(block)
            if block == ZEROS:
                writing.seek(size)
                continue
            view = memoryview(block)
            while view:
                view = view[writing.write(view) :]
        writing.truncate(size)
        os.fsync(writing.fileno())


def set_aside(final, source):
    """Makes room for a copy of results. An earlier one of another run gets a dated name."""
    if not os.path.lexists(final):
        return
    manifest = os.path.join(final, "manifest.json")
    if read_json(manifest, {}).get("source") == source:
        shutil.rmtree(final)
        return
    dated = f"{final}.{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(os.stat(final).st_mtime))}"
    number = 0
    while os.path.lexists(dated if number == 0 else f"{dated}-{number}"):
        number += 1
    os.rename(final, dated if number == 0 else f"{dated}-{number}")


def source_of(attempt, instance):
    """As in remote/transfer/results-source.ts."""
    stands = attempt.get("stands", "")[:8]
    return f"{instance}:{attempt.run.experiment}@{(attempt.asked_hash() or '')[:12]}{stands and f'.{stands}'}"


def keep(attempt, file_system, instance):
    """Copies the results to a file system, checked there by checksum. Raises Unsafe or OSError where that fails."""
    run = attempt.run
    kept = attempt.get("kept")
    if kept is not None and changed_since(kept["at"], run) is None:
        return
    if not is_mounted(file_system):
        raise Unsafe(f"{file_system} is not mounted")
    # What is written from the beginning of the copy on is not in it.
    begun = moment()
    final = os.path.join(file_system, "lambda-train", instance, run.experiment)
    partial = f"{final}.partial"
    shutil.rmtree(partial, ignore_errors=True)

    def copied(pair):
        source, target = pair
        path = os.path.relpath(target, partial)
        if os.path.isdir(source):
            os.makedirs(target, exist_ok=True)
            return json.dumps({"path": path, "folder": True})
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if not os.path.exists(source):
            os.symlink(os.readlink(source), target)
            return json.dumps({"path": path, "link": os.readlink(source)})
        copy_file(source, target)
        checksum = sha256_of(source)
        if sha256_of(target) != checksum:
            raise Unsafe(f"{target} is not what {source} is")
        return json.dumps({"path": path, "size": os.path.getsize(target), "sha256": checksum})

    os.makedirs(partial)
    source = source_of(attempt, instance)
    with open(os.path.join(partial, "manifest.json"), "w") as manifest:
        manifest.write(f'{{"source": {json.dumps(source)}, "run": {json.dumps(record_of(run))}, "files": [')
        pairs = pairs_of(run, partial)
        first = True
        while True:
            batch = list(itertools.islice(pairs, BATCH_FILES))
            if not batch:
                break
            manifest.write(("\n" if first else ",\n") + ",\n".join(in_threads(copied, batch)))
            first = False
        manifest.write("\n]}\n")
        manifest.flush()
        os.fsync(manifest.fileno())
    set_aside(final, source)
    os.rename(partial, final)
    attempt.put(kept={"at": begun, "path": final})
