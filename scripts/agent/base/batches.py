"""Many items, some at a time."""

from itertools import islice


def batches(items, size=1000):
    """Lists of the items, some at a time."""
    items = iter(items)
    while True:
        some = list(islice(items, size))
        if not some:
            return
        yield some
