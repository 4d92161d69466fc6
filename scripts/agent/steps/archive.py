"""Extracts an archive into a new folder and refuses a hostile one before anything of it is used."""

import errno
import lzma
import os
import shutil
import stat
import subprocess
import tarfile
import zipfile
import zlib

from base.files import inside
from base.say import die

REFUSED, WRONG_LAYOUT, NO_ROOM = 4, 6, 7
FULL = (errno.ENOSPC, errno.EDQUOT)


class Refused(Exception):
    pass


# What the modules raise for content that is no archive, a damaged one, or one in a form that they do not know.
DAMAGED = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError, RuntimeError)


def checked(name):
    """The parts of a member's path; refuses those that leave the folder."""
    path = name.replace("\\", "/") if os.sep != "/" else name
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

    def place(self, parts, name):
        for depth in range(1, len(parts)):
            above = tuple(parts[:depth])
            if above in self.links:
                raise Refused(f"{name!r} would be written through the link {'/'.join(above)!r}")
            if above not in self.made:
                os.makedirs(os.path.join(self.root, *above), exist_ok=True)
                self.made.add(above)
        return os.path.join(self.root, *parts)

    def folder(self, parts, name):
        if tuple(parts) in self.links:
            raise Refused(f"{name!r} is both a link and a folder")
        os.makedirs(self.place(parts, name), exist_ok=True)

    def file(self, parts, name, source, executable):
        path = self.place(parts, name)
        if os.path.lexists(path):
            os.unlink(path)
            self.links.discard(tuple(parts))
        with open(path, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        os.chmod(path, 0o755 if executable else 0o644)

    def link(self, parts, name, target):
        if not inside("/".join(parts), target):
            raise Refused(f"the link {name!r} leads out of the dataset, to {target!r}")
        path = self.place(parts, name)
        if os.path.lexists(path):
            os.unlink(path)
        os.symlink(target, path)
        self.links.add(tuple(parts))

    def hard_link(self, parts, name, target):
        source = self.place(checked(target), target)
        if os.path.islink(source) or not os.path.isfile(source):
            raise Refused(f"{name!r} is a hard link to {target!r}, which is not a file before it")
        path = self.place(parts, name)
        if os.path.lexists(path):
            os.unlink(path)
        os.link(source, path)


def extract_tar(stream, mode, writer):
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
        for member in archive.infolist():
            parts = checked(member.filename)
            mode = member.external_attr >> 16
            if not parts:
                continue
            if member.is_dir():
                writer.folder(parts, member.filename)
            elif stat.S_ISLNK(mode):
                writer.link(parts, member.filename, archive.read(member).decode())
            else:
                with archive.open(member) as source:
                    writer.file(parts, member.filename, source, bool(mode & 0o100))


def extract(path, root):
    writer = Writer(root)
    with open(path, "rb") as file:
        head = file.read(6)
    if head[:4] == b"\x28\xb5\x2f\xfd":
        if shutil.which("zstd") is None:
            raise Refused("it is compressed with zstd, which is not installed: sudo apt-get install zstd")
        with subprocess.Popen(["zstd", "-dc", path], stdout=subprocess.PIPE) as zstd:
            extract_tar(zstd.stdout, "r|", writer)
            while zstd.stdout.read(1 << 20):
                pass
        if zstd.returncode != 0:
            raise Refused("zstd could not read it to its end")
    elif zipfile.is_zipfile(path) and head[:2] == b"PK":
        extract_zip(path, writer)
    else:
        with open(path, "rb") as file:
            extract_tar(file, "r:*", writer)


def top_of(root, name, splits):
    """The folder that holds the dataset: the root, or the one folder in it."""
    candidate = root
    for _ in range(3):
        inner = [entry for entry in os.listdir(candidate) if not entry.startswith((".", "__MACOSX"))]
        if splits and all(os.path.isdir(os.path.join(candidate, split)) for split in splits):
            return candidate
        if len(inner) != 1 or not os.path.isdir(os.path.join(candidate, inner[0])):
            break
        if not splits and inner[0] != name:
            break
        candidate = os.path.join(candidate, inner[0])
    if splits:
        found = ", ".join(sorted(os.listdir(root))[:20])
        die(WRONG_LAYOUT, f"The archive has no folders {', '.join(splits)} on top; it has: {found}")
    return candidate


def unpack(archive, folder, name, splits):
    """
    `archive`: tar (plain, gzip, bzip2, xz, zstd where the zstd program is installed) or zip, told by its content. `folder`
    is made; where the archive has everything in one folder, that folder's content goes there. `name`: what this one folder
    may be called besides holding the splits, folders that must come out on top. Ends the verb with 4: refused or damaged, 6:
    the splits are not in it, 7: the disk is full.
    """
    work = folder + ".work"
    shutil.rmtree(work, ignore_errors=True)
    os.makedirs(work)
    try:
        extract(archive, work)
        os.rename(top_of(work, name, splits), folder)
    except Refused as error:
        die(REFUSED, f"The archive is refused: {error}.")
    except DAMAGED as error:
        die(NO_ROOM if getattr(error, "errno", None) in FULL else REFUSED, f"The archive could not be extracted: {error}.")
    finally:
        shutil.rmtree(work, ignore_errors=True)
