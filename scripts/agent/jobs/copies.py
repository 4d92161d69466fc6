"""
Copies of the workspace, with code that was changed at home: in one of them a command or a job runs, and nothing that stands
on the workspace sees another code. Dataset and what setup has made are linked; outputs are the copy's own.

~/lambda-train/
  dev/<workspace>          what `exec --sync` and `dev` bring
  jobs/<name>/<workspace>  what a job runs on
"""

import os

from base.document import takes
from base.files import under_home
from base.locks import locked
from results.aside import copy_file
from run.state import runs
from upload.entries import Lines, line_of
from upload.uploads import Stored, is_file, manifest_path, unchanged

# Made by whatever runs, not by setup.
CACHES = ("__pycache__", ".git", ".ipynb_checkpoints")


@takes(workspace=str, folder=str, linked=[str], outputs=str, code=[str])
def place(workspace, folder, linked, outputs, code):
    """
    Makes the folder a copy of the workspace as it was uploaded, if it is none yet, so that only what differs has to come.
    `linked`: paths below the workspace that both share; `code`: names right below it that the upload to come has.
    """
    own, copy = under_home(workspace), under_home(folder)
    os.makedirs(copy, exist_ok=True)
    with locked(f"{upload_name(folder)}.copy"):
        if not os.path.exists(manifest_path(upload_name(folder))):
            seed(Stored(upload_name(workspace), own), own, folder)
        for name in code:
            # What is code from now on must not be written through a link into the workspace.
            unlink(os.path.join(copy, name), own)
        for path in [*linked, *made_by_setup(own, upload_name(workspace), [*linked, outputs, *code])]:
            link(os.path.join(own, path), os.path.join(copy, path))


def upload_name(path):
    """Under which the upload to a folder keeps its manifest, as remote/scripts.ts has it."""
    return path.replace("/", "-")


def seed(stored, own, folder):
    copy = under_home(folder)
    for record in stored.records():
        source, target = os.path.join(own, record["path"]), os.path.join(copy, record["path"])
        # What is another by now comes by the upload.
        if not unchanged(own, record):
            continue
        if record.get("folder"):
            os.makedirs(target, exist_ok=True)
            continue
        os.makedirs(os.path.dirname(target), exist_ok=True)
        if is_file(record):
            copy_file(source, target)
            os.chmod(target, 0o755 if record["executable"] else 0o644)
            os.utime(target, ns=(record["mtime"], record["mtime"]))
        elif not os.path.lexists(target):
            os.symlink(record["link"], target)
    if stored.known:
        manifest = Lines(manifest_path(upload_name(folder)))
        facts = {"root": copy, "hash": stored.hash, "count": stored.count, "latest": stored.latest}
        manifest.file.write(line_of(facts))
        for line in stored.lines():
            manifest.file.write(line)
        manifest.finish()


def made_by_setup(own, name, others):
    """What lies right below the workspace and is neither code nor outputs, and was there before anything was started."""
    code = {record["path"].split("/", 1)[0] for record in Stored(name, own).records()}
    known = {path.split("/", 1)[0] for path in others} | code | set(CACHES)
    began = min((each.get("mark") for run in runs() for each in run.attempts() if each.has("mark")), default=None)
    with os.scandir(own) as entries:
        for entry in entries:
            if entry.name not in known and (began is None or entry.stat(follow_symlinks=False).st_mtime_ns < began):
                yield entry.name


def link(source, target):
    if os.path.lexists(source) and not os.path.lexists(target):
        os.makedirs(os.path.dirname(target), exist_ok=True)
        os.symlink(source, target)


def unlink(path, own):
    if os.path.islink(path) and os.path.dirname(os.readlink(path)) == own:
        os.unlink(path)
