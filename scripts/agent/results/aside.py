"""Keeps the results of a run apart from those of another configuration that is about to write to the same places.

A copy lies in aside/<attempt> in the run's folder, with a file places.json: its hash, where it was written, and what a
download lists, name at home -> folder or file below the copy.
"""

import fcntl
import os
import shutil
import stat

from base.document import Maybe, takes
from base.files import inside, write_json
from base.say import die, say
from results import written
from results.elsewhere import Look
from results.places import below
from results.record import record_of
from results.safety import Unsafe, is_fetched, outputs_of
from run.configuration import is_same
from run.state import Run

FICLONE = 0x40049409
# Training needs room, too.
SPARE = 64 << 20


@takes(experiment=str, hash=str, stands=Maybe(str))
def keep(experiment, hash, stands):
    """Keeps them apart before something that an attempt with these hashes stands on is put over them."""
    keep_apart(Run(experiment), hash, stands)


def keep_apart(run, hash, stands):
    """
    Before an attempt with these hashes starts: where the newest attempt has others, and its results are not at home as
    they are now, copies them. Ends the verb with 6 where there is no room for the copy.
    """
    attempt = run.newest()
    # A copy that is there was made before anything was put over what it holds.
    if attempt is None or is_same(attempt, hash, stands) or attempt.has("apart"):
        return
    final = run.path("aside", str(attempt.number))
    if os.path.exists(final) or is_home(attempt):
        return
    copies = dict(all_copies(run, attempt))
    items, _ = written.items_of(Look(run), copies)
    if not items and all(name.startswith("run/") for name in copies):
        return  # It has left nothing but its log, which goes on.
    partial = f"{final}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    require_room(attempt, [*copies.values(), *(path for _, path, _, link in items if link is None)])
    try:
        places = copy_all(partial, copies, items)
        of = {"hash": attempt.asked_hash(), **({"stands": attempt.get("stands")} if attempt.has("stands") else {})}
        kept = {**of, "outputPath": attempt.get("outputPath", ""), "places": places}
        kept["run"] = record_of(run)
        write_json(os.path.join(partial, "places.json"), kept)
        shutil.rmtree(final, ignore_errors=True)
        os.rename(partial, final)
        attempt.put(apart=True)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        refuse(attempt, f"They could not be kept apart: {error}.")
    say(f"the results of attempt {attempt.number}, which had other settings, are kept apart until they are at home")


def copy_all(partial, copies, items):
    """Copies all; gives the places of places.json."""
    places = {}
    for index, (name, path) in enumerate(copies.items()):
        if copy(os.path.realpath(path), os.path.join(partial, str(index)), frozenset()):
            places[name] = str(index)
    for name, path, _, link in items:
        places["beside"] = "elsewhere"
        target = os.path.join(partial, "elsewhere", os.path.relpath(name, "beside"))
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if link is not None:
            os.symlink(link, target)
        else:
            copy(path, target, frozenset())
    return places


def is_home(attempt):
    try:
        return is_fetched(attempt)
    except Unsafe:
        return False


def all_copies(run, attempt):
    """Name at home and path of what the run's own facts tell of."""
    own = attempt.get("outputPath")
    for name, path in sorted(outputs_of(run).items()):
        yield "" if path == own else name if name.startswith("run/") else f"beside/{name}", path


def require_room(attempt, paths):
    needed = SPARE + sum(size_of(path) for path in paths)
    free = shutil.disk_usage(attempt.run.folder).free
    if needed > free:
        refuse(attempt, f"To keep them apart takes {needed / 1e6:.1f} MB, and {free / 1e6:.1f} MB are free.")


def refuse(attempt, why):
    die(
        6,
        f"{attempt.run.experiment} would start with other settings, over the results of attempt {attempt.number}, which are "
        f"not at home. {why} Bring them home first (npm run results), then start again.",
    )


def size_of(path):
    if not os.path.isdir(path):
        return os.stat(path).st_size
    total = 0
    for folder, _, files in os.walk(path):
        for name in files:
            try:
                total += os.stat(os.path.join(folder, name)).st_size
            except OSError:
                pass
    return total


def copy(path, target, above, root=None, moved=False):
    """
    Copies a file or folder; a link that stays below the root as a link, what others lead to as itself. False where there
    is nothing. `path` is the place below the root by which it is known; `moved`: a link has led there.
    """
    try:
        info = os.stat(path)
    except FileNotFoundError:
        return False
    if stat.S_ISREG(info.st_mode):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        copy_file(path, target)
        shutil.copystat(path, target)
        return True
    if not stat.S_ISDIR(info.st_mode) or os.path.realpath(path) in above:
        return False
    root = root or path
    above = above | {os.path.realpath(path)}
    os.makedirs(target, exist_ok=True)
    for name in os.listdir(path):
        inner = os.path.join(path, name)
        is_link = os.path.islink(inner)
        link = link_within(root, inner, moved) if is_link else None
        if link is not None:
            os.symlink(link, os.path.join(target, name))
        else:
            copy(inner, os.path.join(target, name), above, root, moved or is_link)
    return True


def link_within(root, path, moved):
    """The target of a link that leads to something below the root, also from its place there; None of any other."""
    link = os.readlink(path)
    if os.path.isabs(link) and below(os.path.normpath(link), root):
        link = os.path.relpath(link, os.path.dirname(path))
    if not inside(os.path.relpath(path, root), link):
        return None
    here = os.path.normpath(os.path.join(os.path.dirname(path), link))
    return None if moved and os.path.realpath(path) != os.path.realpath(here) else link


def copy_file(path, target):
    with open(path, "rb") as source, open(target, "wb") as copied:
        try:
            # Costs nothing where the file system shares what both hold.
            fcntl.ioctl(copied.fileno(), FICLONE, source.fileno())
            return
        except OSError:
            pass
    shutil.copyfile(path, target)


@takes(experiment=str, name=str)
def done(experiment, name):
    """This copy is at home: removes it."""
    shutil.rmtree(Run(experiment).path("aside", os.path.basename(name)))
