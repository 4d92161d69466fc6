"""Whether the results of the runs on this instance are anywhere else than on its disk, which ends with it."""
import glob
import os
import shutil

import written
from elsewhere import Look
from transfer import BASE, in_threads, sha256_of, write_json

RUNS = os.path.join(BASE, "runs")


class Unsafe(Exception):
    """Results that are nowhere else, and why."""


def fact(folder, name):
    """A fact's text, or "" where there is none."""
    try:
        with open(os.path.join(folder, name), errors="surrogateescape") as file:
            return file.read().strip()
    except OSError:
        return ""


def latest_attempts():
    """Experiment -> facts of its newest attempt, of all runs that were ever started."""
    found = {}
    for run in glob.glob(os.path.join(glob.escape(RUNS), "*")):
        number = fact(run, "attempt")
        if number:
            found[os.path.basename(run)] = os.path.join(run, "attempts", number)
    return found


def places_of(experiment):
    """What a download brings home: name -> folder or file."""
    places = outputs_of(experiment)
    items, _ = written.items_of(Look(experiment))
    places.update({name: path for name, path, _, link in items if link is None})
    for copy in copies_of(experiment):
        places[f"aside/{os.path.basename(copy)}"] = copy
    return places


def copies_of(experiment):
    """Results of earlier configurations that are not at home (see aside.py)."""
    records = glob.glob(os.path.join(glob.escape(os.path.join(RUNS, experiment)), "aside", "*", "places.json"))
    return sorted(os.path.dirname(record) for record in records if ".partial" not in record)


def outputs_of(experiment):
    """Of these the outputs and the run's logs: name -> folder or log."""
    run = os.path.join(RUNS, experiment)
    attempts = glob.glob(os.path.join(glob.escape(run), "attempts", "*"))
    folders = {fact(attempt, "output_path") for attempt in attempts}
    folders.update(line for attempt in attempts for line in fact(attempt, "output_beside").splitlines())
    places = {os.path.basename(folder): folder for folder in sorted(folders - {""})}
    if len(places) < len(folders - {""}):
        places = {folder.strip("/").replace("/", "-"): folder for folder in sorted(folders - {""})}
    for log in ("train.log", "evaluate.log"):
        places[f"run/{log}"] = os.path.join(run, log)
    return {name: place for name, place in places.items() if os.path.lexists(place)}


def files_of(place):
    """Every file below a place, links followed, each folder once; also links that lead nowhere."""
    if not os.path.isdir(place):
        yield place
        return
    seen = set()
    for folder, folders, files in os.walk(place, followlinks=True):
        real = os.path.realpath(folder)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        for name in files:
            path = os.path.join(folder, name)
            if os.path.isfile(path) or not os.path.exists(path):
                yield path


def changed_since(mark, experiment):
    """The first file of the results that was written after the mark, or None."""
    since = os.stat(mark).st_mtime_ns
    for place in places_of(experiment).values():
        for path in files_of(place):
            try:
                if os.lstat(path).st_ctime_ns > since:
                    return path
            except FileNotFoundError:
                pass
    return None


def is_fetched(experiment, facts):
    """True where the results as they are now are at home; raises Unsafe where they have changed since."""
    mark = os.path.join(facts, "fetched")
    if not os.path.exists(mark) or copies_of(experiment):
        return False
    changed = changed_since(mark, experiment)
    if changed is not None:
        raise Unsafe(f"{changed} was written after the results of {experiment} were fetched")
    return True


def is_mounted(folder):
    """True where something is mounted right there: a mere folder would be part of the disk that ends."""
    with open("/proc/self/mountinfo") as mounts:
        return any(line.split(" ")[4].replace("\\040", " ") == folder for line in mounts)


def keep(experiment, facts, file_system, instance):
    """Copies the results to a file system, checked there by checksum. Raises Unsafe or OSError where that fails."""
    mark = os.path.join(facts, "kept")
    if os.path.exists(mark) and changed_since(mark, experiment) is None:
        return
    if not is_mounted(file_system):
        raise Unsafe(f"{file_system} is not mounted")
    begun = f"{mark}.begun"
    with open(begun, "w"):
        pass
    moment = os.stat(begun).st_mtime_ns
    final = os.path.join(file_system, "lambda-train", instance, experiment)
    partial = f"{final}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    pairs = []
    for name, place in places_of(experiment).items():
        for path in files_of(place):
            within = os.path.relpath(path, place) if os.path.isdir(place) else ""
            pairs.append((path, os.path.normpath(os.path.join(partial, name, within))))

    def copied(pair):
        source, target = pair
        os.makedirs(os.path.dirname(target), exist_ok=True)
        path = os.path.relpath(target, partial)
        if not os.path.exists(source):
            os.symlink(os.readlink(source), target)
            return {"path": path, "link": os.readlink(source)}
        shutil.copyfile(source, target)
        with open(target, "rb") as file:
            os.fsync(file.fileno())
        checksum = sha256_of(source)
        if sha256_of(target) != checksum:
            raise Unsafe(f"{target} is not what {source} is")
        return {"path": path, "size": os.path.getsize(target), "sha256": checksum}

    files = in_threads(copied, pairs)
    write_json(os.path.join(partial, "manifest.json"), {"source": f"{instance}:{experiment}", "files": files})
    shutil.rmtree(final, ignore_errors=True)
    os.rename(partial, final)
    with open(begun, "w") as file:
        file.write(final)
    # What is written from the beginning of the copy on is not in it.
    os.utime(begun, ns=(moment, moment))
    os.replace(begun, mark)
