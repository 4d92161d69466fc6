"""
Puts small git repositories into an uploaded workspace, so that the code there knows its commit and version. They come as
an upload of their own: a folder for each, with the repository (`git/`) and what its index holds (`index.jsonl`).
"""

import hashlib
import json
import os
import shutil

from base.checksum import sha256_of
from base.document import takes
from base.files import BASE, fact, read_json, under_home, write_json
from base.locks import lock
from upload.entries import read_lines
from upload.git_index import index_of
from upload.uploads import Stored, unchanged

MARK = "lambda-train.json"
# Names that a repository has while it is made, and while it goes.
FRESH = ".git.lambda-train"
OLD = ".git.lambda-train-old"


@takes(name=str, workspace=str, source=str, repositories=[{"path": str, "folder": str}])
def put(name, workspace, source, repositories):
    """
    `name`: of the code's upload; `source`: the upload of the repositories; `path`: where one goes, in the workspace.
    Prints {"kept": [paths]}: there is a repository of somebody else, or one with commits of its own, which stays.
    """
    lock(f"{name}.repositories")
    root = under_home(workspace)
    placed_path = os.path.join(BASE, "manifests", f"{name}.repositories")
    before = read_json(placed_path, [])
    paths = [repository["path"] for repository in repositories]
    write_json(placed_path, sorted({*before, *paths}))
    as_uploaded = {each["path"]: each for each in Stored(name, root).records() if unchanged(root, each)}
    kept = []
    for repository in repositories:
        folder = os.path.join(root, repository["path"])
        if not os.path.isdir(folder):
            continue
        restore(folder)
        if os.path.lexists(os.path.join(folder, ".git")) and not is_ours(os.path.join(folder, ".git")):
            kept.append(repository["path"])
            continue
        place(os.path.join(under_home(source), repository["folder"]), folder, known_in(as_uploaded, repository["path"]))
    for path in set(before) - set(paths):
        git = os.path.join(root, path, ".git")
        if is_ours(git):
            shutil.rmtree(git)
    write_json(placed_path, paths)
    print(json.dumps({"kept": kept}))


def known_in(as_uploaded, path):
    """The files below a path that are as the upload put them, by their place there."""
    below = f"{path}/" if path else ""
    return {each[len(below) :] for each in as_uploaded if each.startswith(below)}


def restore(folder):
    """Puts right what a call that was cut has left."""
    old, git = os.path.join(folder, OLD), os.path.join(folder, ".git")
    if os.path.lexists(old) and not os.path.lexists(git):
        os.rename(old, git)
    for path in (old, os.path.join(folder, FRESH)):
        shutil.rmtree(path, ignore_errors=True)


def place(source, folder, as_uploaded):
    fresh, old, git = (os.path.join(folder, name) for name in (FRESH, OLD, ".git"))
    shutil.copytree(os.path.join(source, "git"), fresh)
    entries = read_lines(os.path.join(source, "index.jsonl"))
    content, newest = index_of(entries, folder, as_uploaded)
    index = os.path.join(fresh, "index")
    with open(index, "wb") as file:
        file.write(content)
    # Of a file as young as the index git reads the content again and again.
    os.utime(index, ns=(newest + 10**9, newest + 10**9))
    write_json(os.path.join(fresh, MARK), state_of(fresh))
    if os.path.lexists(git):
        os.rename(git, old)
    os.rename(fresh, git)
    shutil.rmtree(old, ignore_errors=True)


def is_ours(git):
    """Whether a repository is as it was put: nobody has committed there, or made another of it."""
    mark = read_json(os.path.join(git, MARK), None)
    return mark is not None and mark == state_of(git)


def state_of(git):
    packed = os.path.join(git, "packed-refs")
    loose = hashlib.sha256()
    for top, folders, names in os.walk(os.path.join(git, "refs")):
        # What is fetched there is nobody's work.
        folders[:] = sorted(name for name in folders if (os.path.basename(top), name) != ("refs", "remotes"))
        for path in (os.path.join(top, name) for name in sorted(names)):
            loose.update(f"{path[len(git) :]} {fact(path)}\n".encode("utf-8", "surrogateescape"))
    refs = sha256_of(packed) if os.path.exists(packed) else ""
    return {"head": fact(git, "HEAD"), "refs": refs, "loose": loose.hexdigest()}
