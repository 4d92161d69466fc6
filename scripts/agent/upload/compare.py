"""Compares a manifest with what lies on the instance: what is right already, and what has to come."""

import os
import shutil
import stat
import time

from base.batches import batches
from base.checksum import digest_of
from base.threads import in_threads
from upload.entries import Lines, block_digest, blocks_of, entry_of, order, read_lines, record_of, values_of
from upload.uploads import Stored, foreign, is_file, manifest_path, staging_of, status_of, unchanged

# What an entry needs. FIX: it is there, with another mode or no time; COPY: content that comes for another one too.
KEPT, FIX, MADE, ARRIVED, COPY, COMES = range(6)
# Smaller content is sent twice sooner than it is looked for.
BIG = 64 << 10
BATCH = 1000


class Found:
    """What the last upload put, and whether it is as it was."""

    FINE, OTHER_MODE, CHANGED = range(3)

    def __init__(self, name, root):
        self.name, self.root = name, root
        self.stored = Stored(name, root)
        # Of each record, in their order.
        self.states = bytearray()
        # A path below it is looked up faster than a whole one.
        self.folder = folder_at(root)
        # Of each block, by its digest: number of the first record, where it begins, and its length.
        self.blocks = {}
        start = 0
        for lines in blocks_of(self.stored.lines()):
            try:
                records = values_of(lines)
            except ValueError:
                break
            length = sum(map(len, lines))
            self.blocks[block_digest(lines)] = (len(self.states), start, length)
            self.states += bytes([self.state(record) for record in records])
            start += length

    def state(self, record):
        if not is_file(record):
            return self.CHANGED if status_of(self.root, record) is None else self.FINE
        if self.folder is None:
            return self.CHANGED
        try:
            info = os.stat(record["path"], dir_fd=self.folder, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return self.CHANGED
        if info.st_mtime_ns != record["mtime"] or info.st_size != record["size"] or not stat.S_ISREG(info.st_mode):
            return self.CHANGED
        return self.FINE if bool(info.st_mode & 0o100) == record["executable"] else self.OTHER_MODE

    def holds(self, hash):
        """Whether the root holds exactly the manifest with this hash."""
        cut = os.path.exists(manifest_path(self.name, ".owned"))
        whole = self.stored.hash == hash and len(self.states) == self.stored.count and self.CHANGED not in self.states
        return whole and not cut and not foreign(self.name, self.root) and os.path.isdir(self.root)

    def block(self, digest):
        """The lines of a block, and their states."""
        first, start, length = self.blocks[digest]
        lines = self.stored.part(start, length).splitlines(keepends=True)
        return lines, self.states[first : first + len(lines)]


def folder_at(path):
    """A descriptor of a folder; None where none is."""
    try:
        return os.open(path, os.O_PATH | os.O_DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None


class Plan:
    """
    What a manifest needs. Its lines are written to `.next`: records of what is in place, entries of what is not.
    `manifest`: a file with a line for each entry, or the digest of a block of records in place of its entries.
    """

    def __init__(self, found, manifest):
        self.found, self.root = found, found.root
        # Nothing is kept of what is not an upload's, however alike: it goes once all has arrived.
        self.others = foreign(found.name, found.root)
        # What each entry needs, and which of them get content that comes, as bits.
        self.needs, self.coming = bytearray(), bytearray()
        # Bytes that come, and those that are copied here.
        self.bytes = self.copied = 0
        # Where big content is first, by its checksum.
        self.first = {}
        # Of content that has arrived in part, by number: the digest of that part, and its size.
        self.begun = {}
        self.owned = set() if self.others else set(owned(found.name))
        # Paths that an upload may have put there and this one does not, and whether they are empty folders.
        self.gone = dict.fromkeys(self.owned, False)
        self.fresh, self.earlier = new_staging(staging_of(found.name))
        self.next = Lines(manifest_path(found.name, ".next"))
        self.read(manifest)
        self.next.finish()
        # Somebody else may remove it.
        self.planned = open(self.next.path, "rb")
        for path in self.earlier:
            shutil.rmtree(path)

    def read(self, manifest):
        same = {digest_in(line) for line in manifest}
        records = self.records_outside(same)
        record = next(records, None)
        waiting = []
        manifest.seek(0)
        for line, entry in with_values(manifest):
            if isinstance(entry, str):
                self.examine(waiting)
                waiting = []
                self.take_over(entry)
                continue
            path = entry["path"]
            self.gone.pop(path, None)
            while record is not None and record["path"] != path and order(record["path"]) < order(path):
                self.leave(record)
                record = next(records, None)
            if record is not None and record["path"] == path:
                if entry.get("folder") and not record.get("folder"):
                    self.gone[path] = False
                waiting.append((line, entry, record))
                record = next(records, None)
            else:
                waiting.append((line, entry, None))
            if len(waiting) == BATCH:
                self.examine(waiting)
                waiting = []
        self.examine(waiting)
        while record is not None:
            self.leave(record)
            record = next(records, None)

    def records_outside(self, digests):
        """The records of the blocks that are none of these."""
        for digest in self.found.blocks if not self.others else ():
            if digest not in digests:
                yield from values_of(self.found.block(digest)[0])

    def leave(self, record):
        self.gone[record["path"]] = bool(record.get("folder"))

    def take_over(self, digest):
        """A block of which the manifest has the same entries."""
        lines, states = self.found.block(digest)
        if not any(states) and not self.owned and not self.others:
            self.next.file.writelines(lines)
            self.needs += bytes(len(lines))
            return
        waiting = [(entry_of(line), record, record) for line, record in zip(lines, values_of(lines))]
        for _, record, _ in waiting:
            self.gone.pop(record["path"], None)
        self.examine(waiting)

    def examine(self, waiting):
        """Decides what some entries need."""
        nothing = self.others or not os.path.isdir(self.root)
        placed = [None] * len(waiting) if nothing else self.placed(waiting)
        staged = self.staged([entry for (_, entry, _), info in zip(waiting, placed) if info is None])
        for (line, entry, _), info in zip(waiting, placed):
            if info is not None:
                right = not is_file(entry) or bool(info.st_mode & 0o100) == entry["executable"]
                need = KEPT if right and info.st_mtime_ns > 0 else FIX
                line = record_of(line, info.st_mtime_ns) if is_file(entry) else line
            elif not is_file(entry):
                need = MADE
            else:
                need = self.content(entry, staged.get(entry["path"]))
            self.next.file.write(line)
            self.needs.append(need)

    def placed(self, waiting):
        """The status of what is in place of each entry and right; else None."""
        found = [None] * len(waiting)
        doubtful = []
        for number, (_, entry, record) in enumerate(waiting):
            if record is not None and entry.get("folder") and not record.get("folder"):
                continue
            info = status_of(self.root, entry)
            if info is None:
                continue
            known = record is not None and is_file(record) and info.st_mtime_ns == record["mtime"]
            if not is_file(entry) or (known and record["sha256"] == entry["sha256"]):
                found[number] = info
            # Of the right size, but not known from a finished upload: only the content tells.
            elif not known:
                doubtful.append((number, entry, info))
        digests = in_threads(lambda each: digest_of(f"{self.root}/{each[1]['path']}"), doubtful)
        for (number, entry, info), digest in zip(doubtful, digests):
            if digest.hexdigest() == entry["sha256"]:
                found[number] = info
        return found

    def staged(self, entries):
        """Of content that an earlier try has brought, by the entry's path: where it is, its digest and size."""
        if not self.earlier:
            return {}
        found = [(entry["path"], *there) for entry in entries for there in self.look_in_staging(entry)]
        digests = in_threads(lambda each: digest_of(each[1]), found)
        return {path: (full, digest, size) for (path, full, size), digest in zip(found, digests)}

    def look_in_staging(self, entry):
        for folder in self.earlier if is_file(entry) else ():
            full = f"{folder}/{entry['path']}"
            try:
                info = os.lstat(full)
            except (FileNotFoundError, NotADirectoryError):
                continue
            whole = info.st_size == entry["size"]
            if stat.S_ISREG(info.st_mode) and (whole or BIG < info.st_size < entry["size"]):
                yield full, info.st_size

    def content(self, entry, staged):
        """How an entry gets its content."""
        big = entry["size"] > BIG
        if big and entry["sha256"] in self.first:
            self.copied += entry["size"]
            return COPY
        if big:
            self.first[entry["sha256"]] = entry["path"]
        size = 0
        if staged is not None:
            full, digest, size = staged
            whole = size == entry["size"]
            if whole and digest.hexdigest() != entry["sha256"]:
                size = 0
            else:
                path = f"{self.fresh}/{entry['path']}"
                os.makedirs(os.path.dirname(path), exist_ok=True)
                os.rename(full, path)
                if whole:
                    return ARRIVED
                self.begun[len(self.needs)] = digest, size
        at, bit = divmod(len(self.needs), 8)
        self.coming.extend(bytes(at + 1 - len(self.coming)))
        self.coming[at] |= 1 << bit
        self.bytes += entry["size"] - size
        return COMES

    def has_arrived(self, number, entry):
        """Tells that the content of an entry, which was to come, lies in the folder for what arrives."""
        _, size = self.begun.pop(number, (None, 0))
        self.needs[number] = ARRIVED
        self.coming[number >> 3] &= ~(1 << (number & 7))
        self.bytes -= entry["size"] - size

    def lost(self):
        """Paths that were in place and are no longer so, or all where what lies there is no upload's by now."""
        if self.others or foreign(self.found.name, self.root):
            return [] if self.others else [self.root]
        records = (record for _, need, record in self.entries(KEPT) if need <= FIX)
        return [record["path"] for record in records if not unchanged(self.root, record)]

    def lines(self, least):
        """Number, need and line of each entry that needs as much as this."""
        self.planned.seek(0)
        for number, (need, line) in enumerate(zip(self.needs, self.planned)):
            if need >= least:
                yield number, need, line

    def entries(self, least):
        """The same with the entries themselves."""
        for some in batches(self.lines(least)):
            values = values_of([line for _, _, line in some])
            yield from ((number, need, entry) for (number, need, _), entry in zip(some, values))


def with_values(lines):
    """Each line with its value."""
    for some in batches(lines):
        yield from zip(some, values_of(some))


def digest_in(line):
    """The digest of a block that a line of a manifest is; None where it is an entry."""
    return line[1:65].decode() if line[:1] == b'"' else None


def new_staging(staging):
    """A new folder for what arrives, and those that earlier tries have left."""
    os.makedirs(staging, exist_ok=True)
    earlier = []
    for name in os.listdir(staging):
        path = os.path.join(staging, name)
        if os.path.isdir(path):
            earlier.append(path)
        else:
            # Earlier releases kept content by its checksum.
            os.unlink(path)
    fresh = os.path.join(staging, f"tree.{time.time_ns()}")
    os.mkdir(fresh)
    return fresh, earlier


def owned(name):
    """Paths that an apply has put, or was about to put, before it was cut."""
    for value in read_lines(manifest_path(name, ".owned")):
        if isinstance(value, dict):
            if "path" in value:
                yield value["path"]
        else:
            # Earlier releases wrote paths, or one list of them.
            yield from value if isinstance(value, list) else [value]
