"""Takes the content of an upload into a folder that has it by the paths of the entries."""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
from array import array

from base.document import checked, first_line
from base.files import takes_from_modes, widen, write_all
from upload.compare import ARRIVED, BIG, COPY, MADE

PACKERS = ("gzip", "zstd")
PIECE = 1 << 20


def packers():
    """Programs here that unpack what comes."""
    return [each for each in PACKERS if shutil.which(each)]


def packing():
    """What the sender says of what comes next."""
    return checked(json.loads(first_line()), {"packed": str}, "")["packed"]


@contextlib.contextmanager
def unpacked(packed):
    """Standard input as it was before it was packed by this program, or "none"."""
    if packed not in PACKERS:
        yield open(0, "rb", buffering=PIECE, closefd=False)
        return
    with subprocess.Popen([packed, "-dc"], stdout=subprocess.PIPE, bufsize=PIECE) as program:
        widen(program.stdout, PIECE)
        yield program.stdout
    if program.returncode != 0:
        sys.exit(f"{packed} could not read what arrived.")


class Arrival:
    """
    `bad`: paths whose content has not arrived as it should. `given`: the time that each file got, by its number. `read_only`:
    nobody may write to the files.
    """

    def __init__(self, plan, times, read_only=False):
        self.plan, self.times, self.read_only = plan, times, read_only
        self.given = array("q", bytes(8 * len(plan.needs)))
        self.bad = []
        self.made = None
        self.masked = takes_from_modes()

    def take(self, source):
        for number, need, entry in self.plan.entries(MADE):
            path = f"{self.plan.fresh}/{entry['path']}"
            self.make_parent(path)
            if need == MADE:
                if entry.get("folder"):
                    os.makedirs(path, exist_ok=True)
                else:
                    os.symlink(entry["link"], path)
                continue
            mode = mode_of(entry) & ~0o222 if self.read_only else mode_of(entry)
            if need == ARRIVED:
                os.chmod(path, mode)
                self.given[number] = self.times.new(path)
            elif need == COPY:
                self.copy(number, entry, path, mode)
            elif entry["size"] <= BIG:
                self.small(number, entry, path, mode, source)
            else:
                self.big(number, entry, path, mode, source)

    def make_parent(self, path):
        parent = path[: path.rindex("/")]
        if parent != self.made:
            os.makedirs(parent, exist_ok=True)
            self.made = parent

    def copy(self, number, entry, path, mode):
        first = f"{self.plan.fresh}/{self.plan.first[entry['sha256']]}"
        # It is not there if it was bad, which is told once.
        if os.path.exists(first):
            shutil.copyfile(first, path)
            os.chmod(path, mode)
            self.given[number] = self.times.new(path)

    def small(self, number, entry, path, mode, source):
        content = source.read(entry["size"])
        if len(content) < entry["size"]:
            self.end_early()
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            self.bad.append(entry["path"])
            return
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode | 0o200)
        write_all(file, content)
        self.finish(number, file, mode)

    def big(self, number, entry, path, mode, source):
        digest, done = self.plan.begun.get(number) or (hashlib.sha256(), 0)
        file = os.open(path, os.O_WRONLY | os.O_CREAT, mode | 0o200)
        os.lseek(file, done, os.SEEK_SET)
        left = entry["size"] - done
        if copy_in(source, file, left, digest) < left:
            self.end_early()
        if digest.hexdigest() == entry["sha256"]:
            self.finish(number, file, mode)
        else:
            os.close(file)
            os.unlink(path)
            self.bad.append(entry["path"])

    def finish(self, number, file, mode):
        if self.masked or self.read_only:
            os.fchmod(file, mode)
        self.given[number] = self.times.new(file)
        os.close(file)

    def end_early(self):
        sys.exit("Not all of the upload arrived.")


def copy_in(source, file, size, digest):
    """Writes what comes, as far as this size, and adds it to a digest. Gives how much came."""
    done = 0
    while done < size:
        piece = source.read1(min(size - done, PIECE))
        if not piece:
            break
        # What has arrived when the connection breaks is there for the next try.
        write_all(file, piece)
        digest.update(piece)
        done += len(piece)
    return done


def mode_of(entry):
    return 0o755 if entry["executable"] else 0o644
