"""Puts an upload that has arrived into place."""

import errno
import json
import os
import shutil
import sys

from base.files import unlink_if_there
from upload.arrive import mode_of
from upload.compare import FIX, KEPT
from upload.entries import Lines, entry_of, line_of, record_of
from upload.times import mtime_of
from upload.uploads import clear, is_file, manifest_path, staging_of

FOLDER = b'"folder":true'


class Placing:
    """`hash`: of the manifest. `protected`: paths below which nothing is removed."""

    def __init__(self, plan, arrival, hash, protected):
        self.plan, self.root, self.name = plan, plan.root, plan.found.name
        self.hash, self.protected = hash, protected
        # The time of each file that has arrived, by its number, and what gives times.
        self.arrived, self.times = arrival.given, arrival.times
        # Where links that were put lead to.
        self.led_to = set()
        self.made = None

    def run(self):
        """Puts everything into its place. Gives the number of files removed."""
        if self.plan.others:
            clear(self.name, self.root)
        self.remember()
        removed = remove(self.root, self.plan.gone, self.protected)
        os.makedirs(os.path.dirname(self.root), exist_ok=True)
        try:
            # In one step where nothing is there, or an empty folder.
            os.rename(self.plan.fresh, self.root)
        except OSError:
            os.makedirs(self.root, exist_ok=True)
            for number, _, entry in self.plan.entries(FIX + 1):
                self.put(number, entry)
        self.record()
        shutil.rmtree(staging_of(self.name), ignore_errors=True)
        self.times.pass_by()
        return removed

    def remember(self):
        """Before the first file is placed: a call that is cut must not leave files that nobody knows to be ours."""
        with open(self.plan.next.path, "ab") as file:
            file.writelines(line_of(path) for path in self.plan.owned & self.plan.gone.keys())
        unlink_if_there(manifest_path(self.name, ".owned"))
        os.link(self.plan.next.path, manifest_path(self.name, ".owned"))

    def put(self, number, entry):
        path = os.path.join(self.root, entry["path"])
        parent = os.path.dirname(path)
        if parent != self.made:
            try:
                os.makedirs(parent, exist_ok=True)
            except (FileExistsError, NotADirectoryError):
                sys.exit(f"{parent} on the instance is a file, but the upload has a folder there; move it away.")
            self.made = parent
        if entry.get("folder"):
            if os.path.lexists(path) and not os.path.isdir(path):
                os.unlink(path)
            os.makedirs(path, exist_ok=True)
            return
        if os.path.isdir(path) and not os.path.islink(path):
            try:
                os.rmdir(path)
            except OSError:
                sys.exit(
                    f"{path} on the instance is a folder with files that were not uploaded, but the upload has a file of "
                    "that name; move them away."
                )
        staged = os.path.join(self.plan.fresh, entry["path"])
        if is_file(entry):
            self.arrived[number] = self.times.give(staged, mtime_of(path))
        move(staged, path)
        if not is_file(entry):
            self.led_to.add(os.path.realpath(path))

    def record(self):
        """Writes down what is there now, and gives what stays what it lacks."""
        top = os.path.realpath(self.root)
        facts = {"root": self.root, "hash": self.hash, "count": len(self.plan.needs)}
        records = Lines(manifest_path(self.name))
        # The latest time is known last.
        room = len(line_of({**facts, "latest": 10**19}))
        records.file.write(bytes(room))
        for number, need, line in self.plan.lines(KEPT):
            if need > FIX:
                line = record_of(line, self.arrived[number]) if self.arrived[number] else line
            elif need == FIX or self.led_to or FOLDER in line:
                line = self.put_right(top, line)
            records.file.write(line)
        records.file.seek(0)
        records.file.write(line_of({**facts, "latest": self.times.latest}).rstrip().ljust(room - 1) + b"\n")
        records.finish()
        for kind in (".owned", ".next"):
            unlink_if_there(manifest_path(self.name, kind))

    def put_right(self, top, line):
        record = json.loads(line)
        path = f"{top}/{record['path']}"
        if record.get("folder"):
            # It may have gone with the last file in it.
            os.makedirs(path, exist_ok=True)
        if not is_file(record):
            return line
        os.chmod(path, mode_of(record))
        # An earlier release placed files without a time, and behind a link that was turned other content is read.
        if record["mtime"] == 0 or self.is_led_to(path):
            return record_of(entry_of(line), self.times.give(path, record["mtime"]))
        return line

    def is_led_to(self, path):
        while path != "/" and path not in self.led_to:
            path = os.path.dirname(path)
        return path in self.led_to


def move(source, target):
    try:
        os.rename(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        temporary = os.path.join(os.path.dirname(target), f".lambda-train-{os.getpid()}")
        unlink_if_there(temporary)
        shutil.copy2(source, temporary, follow_symlinks=False)
        os.replace(temporary, target)


def remove(root, paths, protected):
    """Removes files that an earlier upload had put, and the folders that this empties or that were put empty."""
    count = 0
    for path in sorted(paths, reverse=True):
        if any(path == folder or path.startswith(folder + "/") for folder in protected):
            continue
        folder = path
        if not paths[path]:
            folder = os.path.dirname(path)
            full = os.path.join(root, path)
            try:
                os.unlink(full)
                count += 1
            except (FileNotFoundError, NotADirectoryError):
                pass
            except (IsADirectoryError, PermissionError):
                if not os.path.isdir(full):
                    raise
        while folder:
            try:
                os.rmdir(os.path.join(root, folder))
            except OSError:
                break
            folder = os.path.dirname(folder)
    return count
