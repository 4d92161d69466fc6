"""Where files may lie that training writes, besides the workspace and the home folder."""

import os

# Where this machine's disk begins.
DISK = os.environ.get("LAMBDA_TRAIN_DISK", "/")
# The system's, and what is no disk. What training writes there is found by who wrote it alone.
SYSTEM = """
/proc /sys /dev /run /usr /lib /lib32 /lib64 /libx32 /bin /sbin /etc /boot /snap /nix /lost+found /var/log /var/lib
/var/cache /var/snap
""".split()
# Of /var and /dev these alone are looked through: the rest is the system's.
BESIDES = ("var/tmp", "dev/shm")
DISKS = frozenset("ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs ntfs3 exfat fuseblk".split())
# These outlive the instance.
LASTING = frozenset("nfs nfs4 virtiofs cifs smb3 ceph lustre 9p beegfs gpfs glusterfs".split())
FILE_SYSTEMS = "/lambda/nfs"


def below(path, folder):
    """The path relative to the folder, "" where it is the folder; None where it lies elsewhere."""
    if path == folder:
        return ""
    if folder == "/":
        return path[1:]
    return path[len(folder) + 1 :] if path.startswith(f"{folder}/") else None


def within(path, folders):
    return any(below(path, folder) is not None for folder in folders)


def mounts():
    """(mount point, kind of file system) of each."""
    with open("/proc/self/mountinfo", errors="surrogateescape", encoding="utf-8") as lines:
        for line in lines:
            fields = line.split(" ")
            yield fields[4].replace("\\040", " "), fields[fields.index("-") + 1]


def lasting_mounts():
    """Where file systems are mounted that outlive the instance. A folder in their place is part of the disk that ends."""
    return {point for point, kind in mounts() if is_lasting(point, kind)}


def is_lasting(point, kind):
    # Of buckets and other machines, by a program: sshfs, s3fs, gcsfuse, rclone. That for overlays is of this disk.
    remote = kind.startswith("fuse.") and "overlay" not in kind and "lxcfs" not in kind
    return kind in LASTING or remote or (below(point, FILE_SYSTEMS) or "") != ""


def other_roots(home, named):
    """
    Folders to look through: those at the top of the disk but the system's, those beside the home folder, mounted disks, and
    what is named (absolute paths).
    """
    roots = [os.path.join(DISK, name) for name in listed(DISK) if not is_systems(f"/{name}") and name != "var"]
    roots += [os.path.join(DISK, each) for each in BESIDES]
    if os.path.dirname(home) == "/home":
        roots += [os.path.join("/home", name) for name in listed("/home")]
    roots += [point for point, kind in mounts() if kind in DISKS and point != "/" and within(point, [DISK])]
    kept = []
    for root in [*(each for each in roots if not is_systems(each)), *named]:
        # On a machine whose home folder lies in there it is not one of these places.
        is_own = os.path.realpath(root) == root and os.path.isdir(root) and not within(home, [root])
        if is_own and not within(root, kept):
            kept.append(root)
    return kept


def is_systems(path):
    shared_memory = path == os.path.join(DISK, BESIDES[1])
    return within(path, SYSTEM) and not shared_memory


def listed(folder):
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
