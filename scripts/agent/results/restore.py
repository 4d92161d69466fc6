"""Puts back what an earlier machine's run has left, so that the run goes on here: its files, log and attempts."""

import os
import shutil

from base.checksum import sha256_of
from base.document import Maybe, takes
from base.files import moment, moment_after, own_folder, read_json, under_home, unlink_if_there
from base.locks import hold
from base.say import die, say
from results import bucket_snapshots
from results.snapshot_check import Damaged, check, newest_of
from run.state import RUNS, VERSION, Run
from upload.uploads import manifest_path

LOGS = ("train.log", "evaluate.log")
# Fact of an attempt -> member of the record at home (results/record.py).
FACTS = {
    "startedAt": "startedAt",
    "firstStep": "firstStepAt",
    "endedAt": "endedAt",
    "exit": "exitCode",
    "stopReason": "stopReason",
    "evaluationExit": "evaluation",
    "seconds": "seconds",
    "stands": "stands",
}
ATTEMPT = {
    "number": int,
    "startedAt": Maybe(str),
    "firstStepAt": Maybe(str),
    "endedAt": Maybe(str),
    "exitCode": Maybe(int),
    "stopReason": Maybe(str),
    "evaluation": Maybe(int),
    "seconds": Maybe(int),
    "stands": Maybe(str),
}


@takes(
    experiment=str,
    hash=str,
    settings=Maybe(str),
    run={
        "workspace": str,
        "directory": str,
        "outputs": str,
        "resume": {"command": Maybe(str), "checkpoint": Maybe(str)},
        "grace": int,
    },
    places={"outputs": str, "beside": [str]},
    attempts=[ATTEMPT],
    staged=Maybe({"folder": str, "name": str}),
    snapshot=Maybe({"folder": str, "name": str}),
)
def restore(experiment, hash, settings, run, places, attempts, staged, snapshot):
    """
    `staged`: a folder that was uploaded (`name`: of that upload), with workspace/<path>, home/<path>, run/<log> and
    times.json; what is in it is moved. `snapshot`: one on a file system (see snapshots.py), newer than that, which is checked, and copied. Nothing
    that is there is replaced. Where the experiment was started on this machine, nothing is put back.
    """
    of = Run(experiment)
    own_folder(RUNS)
    own_folder(of.folder)
    hold(of.path("lock"))
    if of.number():
        say("nothing to put back: it was started here")
        return
    workspace = under_home(run["workspace"])
    began = moment()
    count = 0
    if snapshot is not None:
        folder = os.path.join(snapshot["folder"], snapshot["name"])
        try:
            known = check(folder)
        except (Damaged, OSError) as error:
            die(1, f"{folder} is not as it was written: {error}")
        times = {each["path"]: each["mtime"] for each in known["files"]}
        sums = {each["path"]: each["sha256"] for each in known["files"]}
        count += put_all(of, workspace, folder, times, lambda path, target: copy(path, target, sums, folder))
        bucket_snapshots.forget(experiment)
    if staged is not None:
        folder = under_home(staged["folder"])
        times = read_json(os.path.join(folder, "times.json"), {})
        count += put_all(of, workspace, folder, times, shutil.move)
        # It is no upload of its own, whose files are no results.
        unlink_if_there(manifest_path(staged["name"]))
        shutil.rmtree(folder, ignore_errors=True)
    note(of, began, attempts, facts_of(hash, settings, run, workspace, places), fetched=snapshot is None)
    say(f"put back {count} files and {len(attempts)} attempts")


def put_all(of, workspace, folder, times, put):
    """Puts everything into its place, as far as nothing is there. The number of files."""
    home = os.path.expanduser("~")
    count = put_below(os.path.join(folder, "workspace"), workspace, folder, times, put)
    count += put_below(os.path.join(folder, "home"), home, folder, times, put)
    for name in LOGS:
        path = os.path.join(folder, "run", name)
        if os.path.isfile(path) and not os.path.exists(of.path(name)):
            put(path, of.path(name))
            os.chmod(of.path(name), 0o600)
            count += 1
    return count


def put_below(root, top, folder, times, put):
    count, folders = 0, set()
    for above, inner, names in os.walk(root):
        relative = os.path.relpath(above, root)
        if not inner and not names:
            os.makedirs(os.path.join(top, relative), exist_ok=True)
        for name in (*names, *(each for each in inner if os.path.islink(os.path.join(above, each)))):
            path = os.path.join(above, name)
            target = os.path.normpath(os.path.join(top, relative, name))
            if os.path.lexists(target):
                continue
            os.makedirs(os.path.dirname(target), exist_ok=True)
            put(path, target)
            count += 1
            time = times.get(os.path.relpath(path, folder))
            if time is not None and not os.path.islink(target):
                os.utime(target, ns=(time * 1_000_000, time * 1_000_000))
            folders.add(os.path.dirname(target))
    give_times(folders, top)
    return count


def give_times(folders, top):
    """A folder is as new as the newest file in it: checkpoints may be folders."""
    for folder in sorted(folders, key=len, reverse=True):
        if os.path.realpath(folder) == os.path.realpath(top):
            continue
        times = [os.lstat(os.path.join(folder, name)).st_mtime_ns for name in os.listdir(folder)]
        if times:
            os.utime(folder, ns=(max(times), max(times)))


def copy(path, target, sums, folder):
    if os.path.islink(path):
        os.symlink(os.readlink(path), target)
        return
    shutil.copyfile(path, f"{target}.partial")
    if sha256_of(f"{target}.partial") != sums.get(os.path.relpath(path, folder)):
        os.unlink(f"{target}.partial")
        die(1, f"{path} changed while it was copied. Run the command again.")
    os.rename(f"{target}.partial", target)


def facts_of(hash, settings, run, workspace, places):
    """What every attempt that was put back is known by."""
    description = {**run, "command": "", "variables": {}, "firstStepPattern": None, "evaluation": None}
    return {
        "createdAt": 0,
        "restored": True,
        "hash": settings or hash,
        "askedHash": hash,
        "description": description,
        "outputPath": os.path.normpath(os.path.join(workspace, places["outputs"])),
        "outputBeside": [os.path.normpath(os.path.join(workspace, each)) for each in places["beside"]] or None,
    }


def note(of, began, attempts, facts, fetched):
    """Writes the attempts down. `fetched`: all of it is at home."""
    known = {}
    for each in attempts:
        told = {fact: each.get(member) for fact, member in FACTS.items()}
        # What lies beside the outputs counts as theirs.
        told.update(facts, mark=began, fetched=moment_after() if fetched else None)
        known[str(each["number"])] = {name: value for name, value in told.items() if value is not None}
    newest = max(each["number"] for each in attempts)
    of.change(lambda document: document.update(version=VERSION, attempt=newest, attempts=known))


@takes(hash=str, folder=str)
def look(hash, folder):
    """Prints the newest whole snapshot with these settings that a file system holds, as JSON."""
    newest_of(folder, hash)
