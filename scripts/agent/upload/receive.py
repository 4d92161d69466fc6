"""Receives an upload: compares, takes what is needed into a staging folder, then puts it into place.

What an upload put is kept in ~/.lambda-train/manifests/NAME.json. `root` relative: below the home folder.
"""

import base64
import gzip
import os
import shutil
import sys
import tempfile
import time

from base.document import Maybe, takes
from base.files import BASE, under_home
from base.locks import lock, locked, release
from base.say import word
from upload import take
from upload.arrive import Arrival, packers, packing, unpacked
from upload.compare import Found, Plan
from upload.place import Placing
from upload.times import Times
from upload.uploads import Stored, foreign, manifest_path, unchanged

# What was seen longer ago is looked at again before anything is placed.
FRESH_SECONDS = 10


@takes(name=str, root=str, hash=str, protected=[str], giver=Maybe(str))
def apply(name, root, hash, protected, giver):
    """
    Makes the root hold what the manifest with this hash says, besides what others put there. Paths that are `protected`
    stay. A conversation, each word a line of JSON:

    it says {"same": true}, or {"same": false, "blocks": [digests of what it knows], "packers": [programs it has]};
    it reads the manifest (see `manifest_of`);
    where another machine of the fleet, `giver`, has this, it takes from there what it can, and tells of that (see `take`);
    it says {"need": the entries whose content it needs, as bits in base64, "bytes": how much that is, "begun": [[number of
    an entry, bytes of it that have arrived]…]};
    it reads {"packed": program or "none"}, and these contents, one after another;
    it says {"arrived": true} when it has all of them;
    it says {"removed": n, "bad": n, "first": path}. Bad content has not arrived as the manifest has it: nothing is placed.
    """
    root = under_home(root)
    # Whoever comes ends one that still receives, whose connection may be gone. Only what is placed is waited for.
    taking = lock(f"{name}.take", take_over=True)
    with locked(f"{name}.apply"):
        found = Found(name, root)
    if found.holds(hash):
        word({"same": True})
        return
    manifest = wanted_of(found)
    with locked(f"{name}.apply"):
        seen = time.monotonic()
        plan = Plan(found, manifest)
    if giver is not None and plan.bytes > 0:
        require_space(plan.fresh, plan.bytes + plan.copied)
        take.tree(giver, plan, hash)
    arrival = arrived(plan, Arrival(plan, Times(found.stored.latest)))
    lock(f"{name}.apply")
    release(taking)
    if not os.path.exists(manifest_path(name, ".next")):
        sys.exit(f"No upload of {name} was planned.")
    place(plan, arrival, seen, Placing(plan, arrival, hash, protected))


def wanted_of(found):
    """Says what is known here, and reads the manifest of what is wanted."""
    known = [] if foreign(found.name, found.root) else list(found.blocks)
    word({"same": False, "blocks": known, "packers": packers()})
    return manifest_of(sys.stdin.buffer)


def arrived(plan, arrival):
    """Says what a plan needs, and takes it."""
    require_space(plan.fresh, plan.bytes + plan.copied)
    begun = [[number, size] for number, (_, size) in plan.begun.items()]
    word({"need": base64.b64encode(plan.coming).decode(), "bytes": plan.bytes, "begun": begun})
    with unpacked(packing()) as source:
        arrival.take(source)
    word({"arrived": True})
    return arrival


def place(plan, arrival, seen, placing):
    """Puts what has arrived into its place, if all of it is right. `seen`: when the plan looked at what is there."""
    bad = arrival.bad or ([] if time.monotonic() - seen < FRESH_SECONDS else plan.lost())
    if bad:
        word({"removed": 0, "bad": len(bad), "first": bad[0]})
        return
    word({"removed": placing.run(), "bad": 0})


def manifest_of(stdin):
    """
    A file with the lines of the manifest, once all of it has come: gzip in pieces, each behind its length in four bytes,
    the last one empty.
    """
    folder = os.path.join(BASE, "manifests")
    os.makedirs(folder, exist_ok=True)
    packed = tempfile.TemporaryFile(dir=folder)
    while True:
        length = int.from_bytes(exactly(stdin, 4), "big")
        if length == 0:
            break
        packed.write(exactly(stdin, length))
    packed.seek(0)
    manifest = tempfile.TemporaryFile(dir=folder)
    shutil.copyfileobj(gzip.open(packed), manifest, 1 << 20)
    manifest.seek(0)
    return manifest


def exactly(stdin, length):
    content = stdin.read(length)
    if len(content) < length:
        sys.exit("The manifest did not come to its end.")
    return content


def require_space(folder, size):
    """Before anything is sent that can't be kept."""
    free = shutil.disk_usage(folder).free
    if size > free:
        sys.exit(
            f"No space left on device: {size / 1e6:.1f} MB are to come and {free / 1e6:.1f} MB are free. Free space on "
            "the instance, or choose an instance type with a bigger disk."
        )


@takes(name=str, root=str)
def check(name, root):
    """Prints a line of evidence: are the uploaded files there?"""
    try:
        print(evidence(name, under_home(root)))
    except Missing as error:
        sys.exit(str(error))


class Missing(Exception):
    """What of an upload is not there."""


def evidence(name, root):
    """What is there of an upload, in words. @raises Missing"""
    last = Stored(name, root)
    if not last.known:
        raise Missing(f"no finished upload to {root}")
    count = files = size = 0
    missing, changed = [0, None], [0, None]
    for record in last.records():
        count += 1
        files += not record.get("folder")
        size += record["size"]
        if not unchanged(root, record):
            there = os.path.lexists(os.path.join(root, record["path"]))
            kind = changed if there else missing
            kind[0] += 1
            kind[1] = kind[1] or record["path"]
    if count != last.count:
        raise Missing(f"the manifest of the upload to {root} is damaged")
    if missing[0]:
        raise Missing(f"{missing[0]} of {last.count} files are missing from {root}, the first is {missing[1]}")
    note = f", {changed[0]} changed here since (the first: {changed[1]})" if changed[0] else ""
    return f"{files} files, {size / 1e6:.1f} MB{note}"
