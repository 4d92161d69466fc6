"""Brings a dataset into the workspace that lies on a file system for all machines: as a link to it."""

import os
import shutil

from base.document import takes
from base.files import unlink_if_there
from base.say import die, say
from cache.lock import Waiting
from cache.place import Cache
from steps.archive import REFUSED, WRONG_LAYOUT, unpack
from steps.dataset import DATASET, NOT_THERE, Dataset, token_of
from steps.fetch import fetch


@takes(**DATASET)
def extract_now(workspace, target, kind, url, sha256, splits, cache, token, **_):
    """Exit codes: those of `extract-now`."""
    dataset = Dataset(workspace, target, splits)
    root, hash = cache["root"], cache["hash"]
    with Cache(root).held(cache["by"], Waiting()) as place:
        found = place.found()
        if found.holds(hash):
            say(f"The dataset is in the cache {root}")
        elif kind == "folder":
            die(
                NOT_THERE,
                f"The dataset in the cache {root} is not whole: {place.damaged(found, hash) or 'all'} of its files are "
                "missing or changed. To upload them again: `npm run up -- --replace '**dataset-upload'`.",
            )
        else:
            place.place(unpacked(place, dataset, kind, url, sha256, token), hash)
            unlink_if_there(archive_in(place))
    dataset.link(root)
    dataset.require_splits()
    say(f"The dataset is at {dataset.target}")


def archive_in(place):
    return os.path.join(place.beside, "archive")


def unpacked(place, dataset, kind, url, sha256, token):
    """A folder with what the archive holds, which was brought or is fetched now."""
    archive = archive_in(place)
    if not os.path.isfile(archive):
        if kind != "url":
            die(NOT_THERE, f"The archive {archive} is not there: its upload did not finish. Run `pulumi up` again.")
        fetch(url, archive, sha256, None if token is None else token_of(token))
    fresh = os.path.join(place.beside, "unpacked")
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        unpack(archive, fresh, os.path.basename(dataset.target), dataset.splits)
    except SystemExit as end:
        if end.code in (REFUSED, WRONG_LAYOUT) and not sha256:
            unlink_if_there(archive)
        raise
    return fresh
