"""What is known of uploads: their manifests, their staging folders, and how their files are told again."""
import os
import shutil
import stat

from transfer import BASE, read_json, sha256_of


def manifest_path(name, kind=""):
    return os.path.join(BASE, "manifests", f"{name}{kind}.json")


def staging_of(name):
    return os.path.join(BASE, "staging", name)


def stored(name, root):
    """What the last complete upload put, path -> [size, mtime_ns, sha256, executable, link]."""
    value = read_json(manifest_path(name), {})
    return value if value.get("root") == root else {}


def foreign(name, root):
    """
    True where what lies at the root is no upload's: a link, or what extract.sh has put there and left its mark of. A
    workspace itself may be a link that somebody made on purpose.
    """
    root = os.path.normpath(root)
    if os.path.dirname(root) == os.path.normpath(os.path.expanduser("~")):
        return False
    return os.path.islink(root) or extracted(name) == root


def extracted(name):
    """The folder that extract.sh last filled or linked in place of this upload, or None."""
    try:
        with open(mark_path(name)) as file:
            return os.path.normpath(file.read().rstrip("\n"))
    except FileNotFoundError:
        return None


def mark_path(name):
    return os.path.join(BASE, "manifests", f"{name}.extracted")


def clear(name, root):
    """Removes what is foreign at the root: of a link only the link. Cut anywhere, the next call begins again."""
    root = os.path.normpath(root)
    # What earlier uploads had put is gone: removing it again would remove what others put at the same paths.
    for kind in ("", ".owned"):
        unlink_if_there(manifest_path(name, kind))
    if os.path.islink(root):
        os.unlink(root)
    elif os.path.isdir(root):
        shutil.rmtree(root)
    unlink_if_there(mark_path(name))


def unlink_if_there(path):
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def record_of(root, path, entry):
    """The record of a file in place as it is now, without its checksum; None where it is not there."""
    try:
        info = os.lstat(os.path.join(root, path))
    except (FileNotFoundError, NotADirectoryError):
        return None
    link = stat.S_ISLNK(info.st_mode)
    if link != (entry.get("link") is not None) or not (link or stat.S_ISREG(info.st_mode)):
        return None
    return info


def unchanged(root, path, record):
    """True where a file is as the last upload left it, told by size and modification time."""
    size, mtime, _, _, link = record
    full = os.path.join(root, path)
    try:
        info = os.lstat(full)
        if link is not None:
            return stat.S_ISLNK(info.st_mode) and os.readlink(full) == link
        return stat.S_ISREG(info.st_mode) and info.st_size == size and info.st_mtime_ns == mtime
    except (FileNotFoundError, NotADirectoryError):
        return False


def staged_right(name, checksum):
    return sha256_of(os.path.join(staging_of(name), checksum)) == checksum
