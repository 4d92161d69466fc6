"""Extracts an archive into a new folder and refuses a hostile one before anything of it is used."""

import contextlib
import errno
import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib

from base.files import inside, takes_from_modes, write_all
from base.say import die
from steps import tar
from steps.tar import Damaged, Unusual

REFUSED, WRONG_LAYOUT, NO_ROOM = 4, 6, 7
FULL = (errno.ENOSPC, errno.EDQUOT)


class Refused(Exception):
    pass


# What the modules raise for content that is no archive, a damaged one, or one in a form that they do not know.
ENCRYPTED = 1
MANY = 1000
ZSTD = b"\x28\xb5\x2f\xfd"
OTHERS = (
    (b"rar!", "a RAR archive"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)
# What file managers leave beside a folder.
JUNK = ("Thumbs.db", "desktop.ini")
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError)


def checked(path, name=None):
    """The parts of a member's path; refuses those that leave the folder."""
    name = name or path
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if path.startswith("/") or ".." in parts or "\0" in path:
        raise Refused(f"{name!r} would be written outside of the dataset")
    return parts


class Writer:
    """Writes below one folder; never through a symbolic link, whatever order the members come in."""

    def __init__(self, root):
        self.root = root
        self.links = set()
        self.made = {()}
        # The folder of the last member, which is made and below no link.
        self.last = None
        self.masked = takes_from_modes()

    def place(self, parts, name):
        above = parts[:-1]
        if above != self.last:
            self.check(parts, name)
            self.last = above
        return "/".join((self.root, *parts))

    def check(self, parts, name):
        for depth in range(1, len(parts)):
            above = tuple(parts[:depth])
            if above in self.links:
                raise Refused(f"{name!r} would be written through the link {'/'.join(above)!r}")
            if above not in self.made:
                self.make(above)
                self.made.add(above)

    def make(self, parts):
        os.makedirs(os.path.join(self.root, *parts), exist_ok=True)

    def folder(self, parts, name):
        if tuple(parts) in self.links:
            raise Refused(f"{name!r} is both a link and a folder")
        self.place(parts, name)
        self.make(tuple(parts))

    def file(self, parts, name, source, executable):
        path = self.place(parts, name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        mode = 0o755 if executable else 0o644
        try:
            target = os.open(path, flags, mode)
        except FileExistsError:
            os.unlink(path)
            self.links.discard(tuple(parts))
            target = os.open(path, flags, mode)
        try:
            if self.masked:
                os.fchmod(target, mode)
            piece = source.read(1 << 20)
            while piece:
                write_all(target, piece)
                piece = source.read(1 << 20)
        finally:
            os.close(target)

    def link(self, parts, name, target):
        if not inside("/".join(parts), target):
            raise Refused(f"the link {name!r} leads out of the dataset, to {target!r}")
        self.put_link(self.place(parts, name), target)
        self.links.add(tuple(parts))
        self.last = None

    def put_link(self, path, target):
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)

    def hard_link(self, parts, name, target):
        source = self.place(checked(target), target)
        if os.path.islink(source) or not os.path.isfile(source):
            raise Refused(f"{name!r} is a hard link to {target!r}, which is not a file before it")
        path = self.place(parts, name)
        if os.path.lexists(path):
            os.unlink(path)
        os.link(source, path)


def extract_tar(path, head, writer):
    with tar.unpacked(path, head) as source:
        for kind, name, target, executable, content in tar.members(source):
            parts = checked(name)
            if not parts:
                continue
            if kind == tar.FILE:
                writer.file(parts, name, content, executable)
            elif kind == tar.FOLDER:
                writer.folder(parts, name)
            elif kind == tar.LINK:
                writer.link(parts, name, target)
            elif kind == tar.HARD_LINK:
                writer.hard_link(parts, name, target)
            else:
                raise Refused(f"{name!r} is a device or pipe")


def extract_rare_tar(stream, mode, writer):
    """The same by Python's module, which knows more."""
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for member in archive:
            # The archive keeps all that it has read, of which there may be a million.
            archive.members.clear()
            parts = checked(member.name)
            if not parts:
                continue
            if member.isdir():
                writer.folder(parts, member.name)
            elif member.issym():
                writer.link(parts, member.name, member.linkname)
            elif member.islnk():
                writer.hard_link(parts, member.name, member.linkname)
            elif member.isfile():
                writer.file(parts, member.name, archive.extractfile(member), bool(member.mode & 0o100))
            else:
                raise Refused(f"{member.name!r} is a device or pipe")


def extract_zip(path, writer):
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        # As Windows wrote them once: no member of such an archive has the separator of all others.
        foreign = any("\\" in member.filename for member in members) and not any(
            "/" in member.filename for member in members
        )
        for member in members:
            name = member.filename.replace("\\", "/") if foreign else member.filename
            parts = checked(name, member.filename)
            mode = member.external_attr >> 16
            if not parts:
                continue
            if name.endswith("/"):
                writer.folder(parts, member.filename)
            elif member.flag_bits & ENCRYPTED:
                raise Refused(f"{member.filename!r} is encrypted; make the archive without a password")
            elif stat.S_ISLNK(mode):
                writer.link(parts, member.filename, archive.read(member).decode())
            else:
                with archive.open(member) as source:
                    writer.file(parts, member.filename, source, bool(mode & 0o100))


def head_of(path):
    with open(path, "rb") as file:
        return file.read(512)


def extract(path, new_writer):
    """`new_writer` makes what writes, anew where all begins anew."""
    head = head_of(path)
    if head.startswith(ZSTD) and shutil.which("zstd") is None:
        raise Refused("it is compressed with zstd, which is not installed: sudo apt-get install zstd")
    if head.startswith(b"PK"):
        extract_zip(path, new_writer())
        return
    other = next((words for start, words in OTHERS if head.lstrip().lower().startswith(start)), None)
    if other:
        raise Damaged(f"it is {other}, neither tar nor zip")
    try:
        extract_tar(path, head, new_writer())
    except Unusual:
        extract_rare(path, head, new_writer())


def extract_rare(path, head, writer):
    if head.startswith(ZSTD):
        with tar.unpacked(path, head) as source:
            extract_rare_tar(source, "r|", writer)
    else:
        with open(path, "rb") as file:
            try:
                extract_rare_tar(file, "r:*", writer)
            except tarfile.ReadError as error:
                # Its text has a line for each form that was tried.
                unknown = "could not be opened" in str(error)
                raise Damaged("it is neither tar nor zip, or damaged at its beginning") if unknown else error from None


def top_of(tree, name, splits):
    """The path of the folder that holds the dataset: the root, or the one folder in it. `tree`: folders in folders."""
    path, folder = [], tree
    for _ in range(3):
        inner = [entry for entry in folder if not entry.startswith((".", "__MACOSX")) and entry not in JUNK]
        if splits and all(within(folder, split) is not None for split in splits):
            return path
        if len(inner) != 1 or folder[inner[0]] is None:
            break
        if not splits and inner[0] != name:
            break
        path.append(inner[0])
        folder = folder[inner[0]]
    if splits:
        found = ", ".join(sorted(tree)[:20])
        places = holding(tree, splits)
        hint = (
            f". They are in {places[0]}: name {', '.join(f'{places[0]}/{split}' for split in splits)} in dataset.splits"
            if places
            else ""
        )
        die(WRONG_LAYOUT, f"The archive has no folders {', '.join(splits)} on top; it has: {found}{hint}")
    return path


def within(folder, path):
    """The folder at a path in another one; None where there is none."""
    for part in path.split("/"):
        folder = (folder or {}).get(part)
    return folder


def holding(tree, splits, above=""):
    """Paths of the folders that have all splits."""
    found = []
    for name, folder in tree.items():
        if folder is not None:
            right = all(within(folder, split) is not None for split in splits)
            found += [f"{above}{name}"] if right else holding(folder, splits, f"{above}{name}/")
    return found


def tree_of(root, depth):
    """The folders in a folder, as far down as the layout is told by. What is no folder is None; of these, some will do."""
    tree = {}
    if depth > 0:
        with os.scandir(root) as entries:
            for each in entries:
                if each.is_dir():
                    tree[each.name] = tree_of(each.path, depth - 1)
                elif len(tree) < MANY:
                    tree[each.name] = None
    return tree


def depth_for(splits):
    return 3 + max((len(split.split("/")) for split in splits), default=1)


def unpack(archive, folder, name, splits):
    """
    `archive`: tar (plain, gzip, bzip2, xz, zstd where the zstd program is installed) or zip, told by its content. `folder`
    is made; where the archive has everything in one folder, that folder's content goes there. `name`: what this one folder
    may be called besides holding the splits, folders that must come out on top. Ends the verb with 4: refused or damaged, 6:
    the splits are not in it, 7: the disk is full.
    """
    work = folder + ".work"

    def new_writer():
        shutil.rmtree(work, ignore_errors=True)
        os.makedirs(work)
        return Writer(work)

    try:
        with refusing("extracted"):
            extract(archive, new_writer)
            os.rename(os.path.join(work, *top_of(tree_of(work, depth_for(splits)), name, splits)), folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)


@contextlib.contextmanager
def refusing(done):
    """Ends the verb where an archive can't be read, or must not be."""
    try:
        yield
    except Refused as error:
        die(REFUSED, f"The archive is refused: {error}.")
    except (Damaged, *DAMAGED) as error:
        die(NO_ROOM if getattr(error, "errno", None) in FULL else REFUSED, f"The archive could not be {done}: {error}.")
