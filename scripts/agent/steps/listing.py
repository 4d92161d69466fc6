"""Looks at an archive without extracting it: what the instance would refuse is refused where the archive lies."""

import shutil

from base.document import takes
from base.say import die
from steps.archive import MANY, WRONG_LAYOUT, ZSTD, Writer, checked, depth_for, extract, head_of, refusing, top_of


class Listing(Writer):
    """Writes nothing: keeps the upper folders, and which of them hold a file."""

    def __init__(self, depth):
        super().__init__("")
        self.depth, self.tree, self.filled = depth, {}, set()

    def make(self, parts):
        self.enter(parts[: self.depth])

    def enter(self, parts):
        folder = self.tree
        for part in parts:
            if folder.get(part) is None:
                folder[part] = {}
            folder = folder[part]
        return folder

    def file(self, parts, name, source, executable):
        self.place(parts, name)
        self.links.discard(tuple(parts))
        self.note(parts)

    def put_link(self, path, target):
        # What it leads to may come later: it counts as a folder that holds something.
        parts = [part for part in path.split("/") if part]
        self.enter(parts[: self.depth])
        self.fill(parts)

    def hard_link(self, parts, name, target):
        self.place(checked(target), target)
        self.file(parts, name, None, False)

    def note(self, parts):
        if len(parts) <= self.depth:
            above = self.enter(parts[:-1])
            if len(above) < MANY:
                above.setdefault(parts[-1])
        self.fill(parts)

    def fill(self, parts):
        self.filled.update(tuple(parts[:depth]) for depth in range(1, min(len(parts), self.depth) + 1))


@takes(path=str, name=str, splits=[str])
def look(path, name, splits):
    """
    `name`, `splits`: as `unpack` takes them. Exit codes: 4 the instance would refuse it, 6 the splits are not in it or hold
    no file. An archive that can't be read here is no problem.
    """
    if head_of(path).startswith(ZSTD) and shutil.which("zstd") is None:
        return
    listing = None

    def new_listing():
        nonlocal listing
        listing = Listing(depth_for(splits))
        return listing

    with refusing("read"):
        extract(path, new_listing)
    top = top_of(listing.tree, name, splits)
    for split in splits:
        if (*top, *split.split("/")) not in listing.filled:
            die(WRONG_LAYOUT, f"The dataset's folder {split} holds no file.")
