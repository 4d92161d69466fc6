"""Checksums of files."""

import hashlib


def sha256_of(path, limit=None):
    """SHA-256 of a file's content, or of its first `limit` bytes."""
    return digest_of(path, limit).hexdigest()


def digest_of(path, limit=None):
    """The same as a digest that can go on."""
    digest = hashlib.sha256()
    left = limit
    with open(path, "rb", buffering=0) as file:
        while left is None or left > 0:
            block = file.read(1 << 20 if left is None else min(left, 1 << 20))
            if not block:
                break
            digest.update(block)
            if left is not None:
                left -= len(block)
    return digest
