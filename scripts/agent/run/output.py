"""Where an attempt writes, and its checkpoints."""

import glob
import os

from base.files import read_json, under_home
from base.text import is_plain
from run.configuration import since as began
from run.soundness import DAMAGED
from run.sweeps import folders_of_others, is_worker

MOST_NAMES = 20


def outputs_of(described):
    """The folder in which the workload writes results."""
    return os.path.join(under_home(described["workspace"]), described["outputs"])


def folders_of(attempts):
    """Every folder and file in which attempts write under the outputs, as far as it is known."""
    main = {attempt.get("outputPath") for attempt in attempts}
    return (main | {path for attempt in attempts for path in attempt.get("outputBeside", [])}) - {None, ""}


def matches(folder, pattern):
    """Files and folders in a folder that match a glob, relative to it."""
    found = glob.glob(os.path.join(glob.escape(folder), pattern), recursive=True)
    return [os.path.relpath(path, folder) for path in found if not path.endswith(DAMAGED)]


def newest(folder, names):
    """The one that was written last, or None."""
    times = []
    for name in names:
        try:
            times.append((os.stat(os.path.join(folder, name)).st_mtime_ns, name))
        except OSError:
            pass
    return max(times)[1] if times else None


def has_checkpoint(folder, described, since=0):
    """Whether what the evaluation looks for is in a folder, newer than a time."""
    pattern = (described.get("evaluation") or {}).get("checkpoint")
    if not pattern or not os.path.isdir(folder):
        return False
    return any(was_written_since(os.path.join(folder, name), since) for name in matches(folder, pattern))


def was_written_since(path, since):
    """Whether there is a file or folder that came since a time, or something in it. A copy may keep an earlier time."""
    try:
        info = os.stat(path)
        return max(info.st_mtime_ns, info.st_ctime_ns) > since or (os.path.isdir(path) and is_written_since(path, since))
    except OSError:
        return False


def is_written_since(path, since):
    """Whether a file, or a file below a folder, was written since a time. Links are followed, each folder once."""
    if os.path.isfile(path):
        return os.stat(path).st_mtime_ns > since
    seen, folders = set(), [path]
    while folders:
        folder = folders.pop()
        try:
            info = os.stat(folder)
            if (info.st_dev, info.st_ino) in seen:
                continue
            seen.add((info.st_dev, info.st_ino))
            with os.scandir(folder) as entries:
                for entry in entries:
                    if entry.is_dir():
                        folders.append(entry.path)
                    elif entry.is_file() and entry.stat().st_mtime_ns > since:
                        return True
        except OSError:
            continue
    return False


def written_names(outputs, since):
    """Names right below the outputs at which an attempt has written. What they lead to may be gone meanwhile."""
    top = os.path.realpath(outputs)
    found = []
    try:
        names = sorted(os.listdir(outputs))
    except OSError:
        return found
    for name in names:
        path = os.path.join(outputs, name)
        # A link to what has a name of its own here, such as `latest`, is nothing more.
        if os.path.islink(path) and os.path.realpath(path).startswith(f"{top}/"):
            continue
        try:
            if is_written_since(path, since):
                found.append(name)
        except OSError:
            pass
    return found


def has_left_nothing(attempt):
    """Whether an attempt has written no file, neither among the outputs nor elsewhere, as far as it was looked for."""
    elsewhere = read_json(attempt.run.path("written.json"), {})
    if elsewhere.get("found") or elsewhere.get("left") or not elsewhere.get("whole", True):
        return False
    return not written_names(outputs_of(attempt.get("description")), attempt.get("mark", 0))


def find_output(attempt):
    """
    Notes where an attempt writes, by what is newer than its beginning: outputPath, the folder that holds its results, and
    outputBeside, what else there is under the outputs. Makefiles change the experiment's name or leave it out, and
    checkpoints and logs may lie in folders of their own.
    """
    described = attempt.get("description")
    if is_worker(attempt.run, described):
        return
    outputs = outputs_of(described)
    own = os.path.join(outputs, attempt.run.experiment)
    since = attempt.get("mark", 0)
    known = attempt.get("outputPath")
    others = folders_of_others(attempt.run, described)
    names = [name for name in written_names(outputs, since) if name not in others]
    if not names:
        if known is None and os.path.isdir(own):
            attempt.try_put(outputPath=own)
        return
    folders = [os.path.join(outputs, name) for name in names if os.path.isdir(os.path.join(outputs, name))]
    folders.sort(key=lambda folder: folder != own)
    main = next((each for each in [*folders, outputs] if has_checkpoint(each, described, since)), None)
    # Until there is a new checkpoint, that of an earlier attempt is the best.
    if main is None and known and has_checkpoint(known, described, began(attempt.run)):
        main = known
    if main is None and folders and (folders[0] == own or len(folders) == 1):
        main = folders[0]
    if main is None or not is_plain(main):
        main = outputs
    if main == outputs:
        beside = []
    elif len(names) > MOST_NAMES or not is_plain(*names):
        # More than a command would hold, or names that it would not: all of them together, the results' own once more.
        beside = [outputs]
    else:
        beside = [path for path in (os.path.join(outputs, name) for name in names) if path != main]
    if (main, beside) != (known, attempt.get("outputBeside", [])):
        attempt.try_put(outputPath=main, outputBeside=beside)
