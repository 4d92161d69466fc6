"""Receives an archive: a single file, from where it broke. `file` relative: below the home folder."""

import hashlib
import os
import sys

from base.checksum import digest_of, sha256_of
from base.document import Maybe, takes
from base.files import under_home
from base.locks import lock
from base.say import word
from upload import take
from upload.arrive import copy_in, packers, packing, unpacked


@takes(file=str, size=int, sha256=str, giver=Maybe(str))
def append(file, size, sha256, giver):
    """
    A conversation, each word a line of JSON. It says {"complete": true}, or {"complete": false, "size": bytes that have
    arrived, "packers": programs it has}; it reads {"packed": program or "none"}, and the rest; it says {"right": true}, or
    false where the whole is another one than it should be: it is gone then. Where another machine of the fleet, `giver`, has
    it, it comes from there first, and further words tell of that (see `take`).
    """
    path = under_home(file)
    lock("archive-" + path.replace("/", "-")[-100:], take_over=True)
    if giver is not None and not os.path.exists(path):
        take.archive(giver, path, size, sha256)
    receive(path, size, sha256)


def receive(path, size, sha256):
    """The conversation itself."""
    if os.path.exists(path) and sha256_of(path) == sha256:
        word({"complete": True})
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    part = path + ".part"
    target = os.open(part, os.O_RDWR | os.O_CREAT, 0o600)
    arrived = os.fstat(target).st_size
    # What lies there may be of another file.
    digest, arrived = (digest_of(part), arrived) if arrived <= size else (hashlib.sha256(), 0)
    os.ftruncate(target, arrived)
    os.lseek(target, arrived, os.SEEK_SET)
    word({"complete": False, "size": arrived, "packers": packers()})
    with unpacked(packing()) as source:
        arrived += copy_in(source, target, size - arrived, digest)
    if arrived < size:
        sys.exit(f"only {arrived} of {size} bytes arrived")
    os.fsync(target)
    right = digest.hexdigest() == sha256
    if right:
        os.replace(part, path)
    else:
        os.unlink(part)
    word({"right": right})
