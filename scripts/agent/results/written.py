"""What the training of an experiment has written outside of its outputs folder.

What counts is every file below the workspace and the home folder that came or changed since the first start of what the
newest attempt runs, unless a rule (rules.py) or results.exclude says otherwise; results.include wins over all rules. What
a rule leaves out is noted with its size. Of what lies elsewhere on the disk (places.py), or where processes of the run
were seen to write (run/writers.py), only what results.include names counts.
"""

import json
import os
import time

from base.document import Maybe, takes
from base.files import read_json, try_write_json
from results.beside import keep_beside
from results.elsewhere import HOME, Look
from results.places import below
from run.state import Run

MOST_GROUPS = 40
SHORTEST_PAUSE = 50
# A look takes at most this part of the time.
SHARE = 1 / 50


def namer(taken):
    """
    Names below beside/, no two alike: of the workspace its path there, of the home folder home/<path>, of elsewhere
    disk/<path>. `taken`: names right below beside/ that others have.
    """
    prefixes = {}
    for word in ("workspace", "home", "disk"):
        number = 1
        prefixes[word] = word
        while prefixes[word] in taken:
            number += 1
            prefixes[word] = f"{word}-{number}"
    clashing = {*taken, *prefixes.values()}

    def named(kind, path):
        if kind == "" and path.split("/", 1)[0] not in clashing:
            return f"beside/{path}"
        return f"beside/{prefixes[{'': 'workspace', '~': 'home', '/': 'disk'}[kind]]}/{path}"

    return named


def listing(experiment, keys, ats):
    """
    What a listing has besides its places: see items_of; also names of what cannot be listed, and what is noted of it all.
    `keys`: results.include and results.exclude.
    """
    run = Run(experiment)
    try:
        run.keep_keys(keys)
    except OSError:
        pass  # The disk is full: what is seen is as good without.
    began = time.monotonic()
    look = Look(run, keys=keys)
    items, unread = items_of(look, ats)
    return items, unread, note(run, look, time.monotonic() - began)


def items_of(look, ats=()):
    """
    All that was found: (name below beside/, full path, stat, link or None); and names of what cannot be listed. `ats`:
    names of places that come home besides.
    """
    named = namer({at.split("/")[1] for at in ats if at.startswith("beside/")})
    listed = [(named(kind, path), full, info, None) for kind, path, full, info in look.found]
    by_real = {full: name for name, full, _, _ in listed}
    for kind, path, full, real in look.links:
        inside = below(real, look.scope.workspace)
        target = by_real.get(real) or (named("", inside) if inside is not None else named("~", below(real, HOME)))
        name = named(kind, path)
        listed.append((name, full, None, os.path.relpath(target, os.path.dirname(name))))
    return listed, [named(kind, path) for kind, path in look.unread]


def keep(file, value):
    """Writes a fact, for whoever looks next. Where the disk is full, what was seen is as good without."""
    if read_json(file, None) != value:
        try_write_json(file, value)


def note(run, look, took):
    """Writes down what was seen; of what never was started nothing is noted."""
    found = sorted(((utf8(path), *group) for path, group in look.groups().items()), key=lambda each: -each[2])
    left = sorted(
        ((utf8(path), *group, why) for (path, why), group in look.left.items()),
        key=lambda each: (each[3] is None, -each[2]),
    )
    value = {
        "at": int(time.time()),
        "took": round(took, 3),
        "whole": look.whole,
        "checkpoints": look.checkpoints(),
        "found": [{"path": path, "files": files, "bytes": size} for path, files, size in cut(found)],
        "left": [
            {
                "path": path,
                "files": files,
                "bytes": size,
                "why": why,
                **({} if best is None else {"checkpoint": {"path": utf8(best[0]), "bytes": best[1]}}),
            }
            for path, files, size, best, why in cut(left)
        ],
    }
    if run.number():
        keep(run.path("written.json"), value)
        named = namer(set())
        keep_beside(run, [(named(kind, path), full) for kind, path, full, _ in look.found])
    return value


def cut(groups):
    """The first ones; the rest together, so that sums are right."""
    rest = groups[MOST_GROUPS:]
    if not rest:
        return groups
    more = (f"{len(rest)} more", sum(each[1] for each in rest), sum(each[2] for each in rest), *rest[0][3:])
    return [*groups[:MOST_GROUPS], more]


def utf8(path):
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def is_due(run):
    last = read_json(run.path("written.json"), {})
    return time.time() - last.get("at", 0) >= max(SHORTEST_PAUSE, last.get("took", 0) / SHARE)


def line(value):
    """What the log of the run says of it, or "" where there is nothing."""
    found = ", ".join(f"{each['path']} ({size_text(each)})" for each in value["found"][:6])
    left = ", ".join(f"{each['path']} ({size_text(each)}: {each['why']})" for each in value["left"][:6])
    parts = [f"written outside of the outputs: {found}" if found else "", f"left out: {left}" if left else ""]
    return "; ".join(part for part in parts if part)


def size_text(group):
    return f"{group['files']} file{'s' if group['files'] > 1 else ''}, {group['bytes'] / 1e6:.1f} MB"


@takes(experiment=str, keys={"include": [str], "exclude": [str]})
def by_hand(experiment, keys):
    """
    What was written on an instance on which the experiment was never started, as by exec or in a notebook: prints what
    written.json holds of a run.
    """
    run = Run(experiment)
    print(json.dumps(note(run, Look(run, keys=keys), 0)))


@takes(experiment=str, seconds=Maybe(float), end=bool)
def look_at(experiment, seconds, end):
    """
    Notes what there is in the run's folder (written.json); gives up after so many seconds, and notes how far it came.
    `end`: in any case, and prints a line for people where there is something; otherwise not where the last look was too
    short ago for what it cost.
    """
    run = Run(experiment)
    if not end and not is_due(run):
        return
    began = time.monotonic()
    look = Look(run, seconds)
    value = note(run, look, time.monotonic() - began)
    if end:
        print(line(value))
