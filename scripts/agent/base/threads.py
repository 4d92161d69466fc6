"""Work side by side. Apart from what needs no threads: to import them takes longer than Python's own start."""

import os
from concurrent.futures import ThreadPoolExecutor

from base.batches import batches


def in_threads(function, items):
    """The function's results in order; hashing leaves the interpreter's lock to others."""
    with ThreadPoolExecutor(min(16, (os.cpu_count() or 1) * 2)) as pool:
        # What waits to be done takes a kilobyte each.
        return [result for some in batches(items) for result in pool.map(function, some)]
