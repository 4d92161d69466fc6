"""Brings the dataset into the workspace, in full or not at all."""

import fcntl
import hashlib
import json
import os
import re
import shutil

from base import secrets
from base.document import Maybe, takes
from base.files import BASE, put, under_home, unlink_if_there
from base.say import die, say
from bucket.bucket import BUCKET, BucketError
from bucket.dataset import fetch_archive, fetch_folder, is_archive
from hub.dataset import HUB, fetch_hub
from steps.archive import REFUSED, WRONG_LAYOUT, unpack
from steps.fetch import fetch
from steps.step import Step
from upload.uploads import manifest_path, mark_path

# `target`: folder in the workspace that holds the dataset. `kind`: folder (it was uploaded to its place), archive (`path`:
# the file), url (`url`: https address of an archive, or http on this machine's own 127.…; `sha256`: empty, not checked; `token`: name of the secret that its
# host gets as a bearer token),
# bucket (`bucket`: its place; `sha256` of an archive there), hub (`hub`: its place; `token`) or fileSystem (`path`: the folder). Paths relative to the home folder. `splits`: folders that must not be empty. `cache`: the
# folder on a file system in which it lies for all machines, by its hash; `by`: what other machines call this one.
DATASET = {
    "workspace": str,
    "target": str,
    "kind": str,
    "path": str,
    "url": str,
    "sha256": str,
    "token": Maybe(str),
    "bucket": Maybe(BUCKET),
    "hub": Maybe(HUB),
    "splits": [str],
    "cache": Maybe({"root": str, "hash": str, "by": str}),
}
ARCHIVES = os.path.join(BASE, "archives")
NOT_THERE = 3


@takes(hash=str, seconds=int, dataset=DATASET)
def extract(hash, seconds, dataset):
    cached = dataset["cache"] is not None
    if dataset["kind"] == "folder" and not cached:
        Step("dataset").run_here(hash, lambda: extract_now(**dataset))
        return
    target = os.path.join(under_home(dataset["workspace"]), dataset["target"])
    verb = "cache-extract-now" if cached else "extract-now"
    Step("dataset").run(hash, seconds, verb, json.dumps(dataset), [target])


@takes(**DATASET)
def extract_now(workspace, target, kind, path, url, sha256, splits, token, bucket, hub, **_):
    """
    Exit codes: 3 the source is not there, 4 the archive is refused, 5 checksum, 6 the layout is wrong, 7 the disk is full.
    """
    dataset = Dataset(workspace, target, splits)
    if kind == "folder":
        if not os.path.isdir(dataset.target):
            die(NOT_THERE, f"The dataset is not at {dataset.target}: its upload did not finish. Run `pulumi up` again.")
    elif kind == "archive":
        archive = under_home(path)
        if not os.path.isfile(archive):
            die(NOT_THERE, f"The archive {archive} is not there: its upload did not finish. Run `pulumi up` again.")
        dataset.take(archive)
        forget_all_but(archive)
    elif kind == "url":
        archive = os.path.join(ARCHIVES, hashlib.sha256(f"{url} {sha256}".encode()).hexdigest()[:32])
        if not os.path.isfile(archive):
            fetch(url, archive, sha256, None if token is None else token_of(token))
        # What the address answered once need not be what it answers next time: a refused archive must not be in the way,
        # unless its checksum is the one that is asked for.
        dataset.take(archive, forget=not sha256)
        forget_all_but(None)
    elif kind == "bucket":
        bring(bucket, sha256, dataset)
        forget_all_but(None)
    elif kind == "hub":
        partial = dataset.partial()
        fetch_hub(hub, partial, None if token is None else token_of(token))
        dataset.place(partial)
        forget_all_but(None)
    elif kind == "fileSystem":
        dataset.link(under_home(path))
    else:
        die(2, f"The dataset's kind must be folder, archive, url, bucket, hub or fileSystem, not {kind}.")
    dataset.require_splits()
    say(f"The dataset is at {dataset.target}")


def bring(told, sha256, dataset):
    """An archive or a folder of a bucket."""
    try:
        if is_archive(told["url"]):
            archive = os.path.join(ARCHIVES, hashlib.sha256(f"{told['url']} {sha256}".encode()).hexdigest()[:32])
            if not os.path.isfile(archive):
                fetch_archive(told, archive, sha256)
            dataset.take(archive, forget=not sha256)
        else:
            partial = dataset.partial()
            fetch_folder(told, partial)
            dataset.place(partial)
    except BucketError as error:
        die(
            NOT_THERE, f"The dataset could not be fetched. {error}. Check dataset.source, its secrets and AWS_ENDPOINT_URL."
        )


def token_of(name):
    value = secrets.values().get(name)
    if value is None:
        die(NOT_THERE, f"The secret {name} (dataset.token) is not on the instance. Run `up` again, which brings it.")
    if not re.fullmatch(r"[\x21-\x7e]+", value):
        die(NOT_THERE, f"The secret {name} (dataset.token) holds spaces or other characters that no token has.")
    return value


class Dataset:
    def __init__(self, workspace, target, splits):
        self.name = f"{workspace}/{target}".replace("/", "-")  # The upload's, as remote/scripts.ts makes it.
        self.target = os.path.join(under_home(workspace), target)
        self.splits = splits
        os.makedirs(os.path.dirname(self.target), exist_ok=True)
        os.makedirs(ARCHIVES, exist_ok=True)

    def claim(self):
        """
        To be called before what lies at the target is replaced. No upload places anything there from then on, and none
        takes for its own what it finds there: the mark tells the next one to begin with an empty folder.
        """
        for folder in ("locks", "manifests"):
            os.makedirs(os.path.join(BASE, folder), exist_ok=True)
        held = os.path.join(BASE, "locks", f"{self.name}.apply")
        # Placing that was cut off from its caller still goes on; held until this process ends.
        handle = os.open(held, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"Waiting for an upload to {self.target} that is being put into place")
            fcntl.flock(handle, fcntl.LOCK_EX)
        os.ftruncate(handle, 0)
        os.pwrite(handle, str(os.getpid()).encode(), 0)
        put(mark_path(self.name), self.target)
        for kind in ("", ".owned", ".next"):
            unlink_if_there(manifest_path(self.name, kind))

    def take(self, archive, forget=False):
        """Unpacks an archive into a folder beside the target, which it then replaces in one step."""
        partial = self.partial()
        try:
            unpack(archive, partial, os.path.basename(self.target), self.splits)
        except SystemExit as end:
            if forget and end.code in (REFUSED, WRONG_LAYOUT):
                unlink_if_there(archive)
            raise
        self.place(partial)

    def partial(self):
        """A folder beside the target, for what is to replace it."""
        partial = os.path.join(os.path.dirname(self.target), f".{os.path.basename(self.target)}.partial")
        shutil.rmtree(partial, ignore_errors=True)
        return partial

    def place(self, partial):
        self.claim()
        if os.path.islink(self.target):
            os.unlink(self.target)
        old = f"{partial}.old"
        shutil.rmtree(old, ignore_errors=True)
        if os.path.lexists(self.target):
            os.rename(self.target, old)
        os.rename(partial, self.target)
        if os.path.isdir(old):
            shutil.rmtree(old)
        else:
            unlink_if_there(old)

    def link(self, source):
        if not os.path.isdir(source):
            die(NOT_THERE, f"There is no folder {source}. Is the file system attached, and the dataset in it?")
        self.claim()
        if os.path.isdir(self.target) and not os.path.islink(self.target):
            shutil.rmtree(self.target)
        link = f"{self.target}.link.{os.getpid()}"
        unlink_if_there(link)
        os.symlink(source, link)
        os.replace(link, self.target)

    def require_splits(self):
        for split in self.splits:
            folder = os.path.join(self.target, split)
            if not os.path.isdir(folder):
                held = " ".join(sorted(os.listdir(self.target)))[:300]
                die(WRONG_LAYOUT, f"The dataset has no folder {split}. It holds: {held}")
            if not holds_file(folder):
                die(WRONG_LAYOUT, f"The dataset's folder {split} holds no file.")


def holds_file(folder):
    """Whether a file lies somewhere below. There may be a million: the first one is enough."""
    folders = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.is_dir():
                    return True
                folders.append(entry.path)
    except OSError:
        return False
    return any(map(holds_file, folders))


def forget_all_but(archive):
    """Those of earlier datasets, whole or in part, only take up the disk."""
    for name in os.listdir(ARCHIVES):
        path = os.path.join(ARCHIVES, name)
        if path != archive and os.path.isfile(path):
            os.unlink(path)
