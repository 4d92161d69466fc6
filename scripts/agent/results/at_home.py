"""What of a run's results lies where at home: the layout of a download, as remote/transfer/names.ts has it."""

import os

from results import written
from results.elsewhere import Look
from results.safety import Unsafe, copies_of, files_of, kept_apart
from run.output import outputs_of
from run.status import places_of


def placed(run):
    """All results: path at home -> full path of a file, a link that leads nowhere, or an empty folder; and what is noted of them."""
    own = run.newest().get("outputPath") or its_folder(run)
    tops = tops_of(run, own)
    look = Look(run)
    items, unread = written.items_of(look, list(tops))
    if unread:
        raise Unsafe(f"{unread[0]} cannot be read")
    found = {name: path for name, path, _, link in items if link is None}
    for name, top in tops.items():
        for path in files_of(top, empty_folders=True) if os.path.lexists(top) else ():
            inside = os.path.relpath(path, top) if os.path.isdir(top) else "."
            relative = inside if name == "" else os.path.normpath(os.path.join(name, inside))
            found[apart(relative) if name == "" else relative] = path
    return {require_text(name): path for name, path in found.items()}, written.note(run, look, 0)


def its_folder(run):
    """Where nothing tells of an output folder, the one of its name: a sweep's worker writes the study there."""
    described = run.newest().get("description")
    folder = described and os.path.join(outputs_of(described), run.experiment)
    return folder if folder and os.path.isdir(folder) else None


def tops_of(run, own):
    """Name at home -> folder or file. The outputs' own name is empty where they lie in the results themselves."""
    tops = {}
    if own is not None:
        tops[below_of(own, run)] = own
    told = places_of(run, own)
    for folder, paths in (("earlier", told["earlierOutputPaths"]), ("beside", told["outputsBeside"])):
        tops.update(named_below(folder, paths or []))
    tops.update({"run/train.log": run.log, "run/evaluate.log": run.evaluation_log})
    tops.update({f"aside/{os.path.basename(copy)}": copy for copy in copies_of(run)})
    return tops


def below_of(own, run):
    """As `outputsAtHome`: a folder that is named after the experiment, or all outputs, lies in the results themselves."""
    outputs = os.path.normpath((run.newest().get("description") or {}).get("outputs") or "outputs")
    name = os.path.basename(own)
    return "" if own.endswith(f"/{outputs}") or run.experiment in name else kept_apart(name)


def named_below(folder, paths):
    plain = {os.path.basename(path) for path in paths}
    named = {}
    for path in paths:
        base = os.path.basename(path)
        name, number = base, 2
        while f"{folder}/{name}" in named or (name != base and name in plain):
            name, number = f"{base}-{number}", number + 1
        named[f"{folder}/{name}"] = path
    return named


def apart(path):
    top, slash, rest = path.partition("/")
    return f"{kept_apart(top)}{slash}{rest}"


def require_text(name):
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise Unsafe(f"{os.fsencode(name)!r} is no name in UTF-8, which a bucket needs") from None
    return name
