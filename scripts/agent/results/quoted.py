"""Metrics of results that stay in a bucket, as far as a bill quotes them."""

import glob
import os

# How many files, and of how many bytes.
MOST_TOLD, LONGEST_TOLD = 20, 1 << 20


def texts_of(output, pattern):
    """Path in the outputs -> text, of files that a bill may quote. None of long ones."""
    if not output or pattern is None:
        return {}
    paths = sorted(glob.glob(os.path.join(glob.escape(output), pattern), recursive=True))[:MOST_TOLD]
    found = {}
    for path in paths:
        try:
            if os.path.getsize(path) <= LONGEST_TOLD:
                with open(path, encoding="utf-8") as file:
                    found[os.path.relpath(path, output)] = file.read()
        except (OSError, ValueError):
            continue
    return found
