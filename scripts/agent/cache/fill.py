"""Fills a cache from home: once, whichever machine comes first."""

import os
import time

from base.document import takes
from base.say import word
from cache.place import Cache
from upload.archive import receive
from upload.arrive import Arrival
from upload.compare import Plan
from upload.place import Placing
from upload.receive import arrived, place, wanted_of
from upload.times import Times

# A machine that got nothing from home for so long lets another one go on.
STALLED = 300


def waits(holder):
    word({"waiting": holder})


@takes(root=str, hash=str, by=str)
def tree(root, hash, by):
    """
    Makes a cache hold what the manifest with this hash says. The conversation is that of `upload-apply`; before its first
    word it says {"waiting": who fills it}, again and again, while another machine does, and {"damaged": files} where it was
    whole once.
    """
    with Cache(root).held(by, waits, STALLED) as cache:
        found = cache.found()
        if found.holds(hash):
            word({"same": True})
            return
        damaged = cache.damaged(found, hash)
        if damaged:
            word({"damaged": damaged})
        manifest = wanted_of(found)
        seen = time.monotonic()
        plan = Plan(found, manifest)
        arrival = arrived(plan, Arrival(plan, Times(found.stored.latest), read_only=True))
        place(plan, arrival, seen, Placing(plan, arrival, hash, []))


@takes(root=str, hash=str, by=str, size=int, sha256=str)
def archive(root, hash, by, size, sha256):
    """
    Brings the archive of which a cache is made, unless it is made already. The conversation is that of `archive-append`, with
    {"waiting": …} before its first word.
    """
    with Cache(root).held(by, waits, STALLED) as cache:
        if cache.found().holds(hash):
            word({"complete": True})
            return
        receive(os.path.join(cache.beside, "archive"), size, sha256)
