"""Many items, some at a time."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import islice


def batches(items, size=1000):
    """Lists of the items, some at a time."""
    items = iter(items)
    while True:
        some = list(islice(items, size))
        if not some:
            return
        yield some


def in_threads(function, items):
    """The function's results in order; hashing leaves the interpreter's lock to others."""
    with ThreadPoolExecutor(min(16, (os.cpu_count() or 1) * 2)) as pool:
        # What waits to be done takes a kilobyte each.
        return [result for some in batches(items) for result in pool.map(function, some)]
