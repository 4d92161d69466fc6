"""Fetches a dataset from a bucket, compared by its checksums there."""

import hashlib
import os
import re

from base.checksum import sha256_of
from base.files import inside, unlink_if_there
from base.say import die, say
from bucket.bucket import BLOCK, Bucket, BucketError

WRONG_CHECKSUM = 5
# As plan/archive-name.ts has it.
ARCHIVE = re.compile(r"\.(tar|tar\.gz|tgz|tar\.zst|tar\.xz|tar\.bz2|zip)$")


def is_archive(url):
    return ARCHIVE.search(url) is not None


def fetch_archive(told, archive, sha256):
    bucket = Bucket(told)
    bucket.reach()
    part = f"{archive}.part"
    say(f"Fetching {bucket.url}")
    # Where the server knows a checksum, rclone compares it.
    bucket.fetch_file(part)
    found = sha256_of(part) if sha256 else ""
    if found != sha256:
        unlink_if_there(part)
        die(
            WRONG_CHECKSUM,
            f"The dataset's checksum is {found}, expected {sha256}. Either {bucket.url} changed or dataset.sha256 is wrong.",
        )
    os.replace(part, archive)


def fetch_folder(told, folder):
    """All that lies there, into a folder. @raises BucketError where something is other here than there"""
    bucket = Bucket(told)
    bucket.reach()
    files = bucket.listing()
    if not files:
        raise BucketError(f"{bucket.url} holds no file")
    strange = next((path for path in files if not inside("", path)), None)
    if strange is not None:
        raise BucketError(f"{bucket.url} holds {strange!r}, which is no path below a folder")
    say(f"Fetching {len(files)} files, {sum(size for size, _ in files.values()) / 1e6:.1f} MB, from {bucket.url}")
    os.makedirs(folder)
    bucket.fetch(folder)
    for path, (size, md5) in files.items():
        full = os.path.join(folder, path)
        if not os.path.isfile(full) or os.path.getsize(full) != size or (md5 is not None and md5_of(full) != md5):
            raise BucketError(f"{bucket.shown(path)} isn't here as it is there")


def md5_of(path):
    digest = hashlib.md5()
    with open(path, "rb", buffering=0) as file:
        while True:
            block = file.read(BLOCK)
            if not block:
                return digest.hexdigest()
            digest.update(block)
