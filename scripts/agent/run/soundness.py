"""Whether a checkpoint is whole, as far as its form tells: a kill or a full disk leaves files that end too early."""

import json
import os
import struct
import zipfile
import zlib

TEMPORARY = (".tmp", ".temp", ".part", ".partial", ".incomplete")
# What was found damaged gets this ending, and is none any more.
DAMAGED = ".damaged"
# Longer JSON is not read.
MOST_JSON = 4 << 20
MOST_HEADER = 100 << 20
BLOCK = 1 << 20
# Of a zip file's end: a comment of 64 KiB may follow it.
LONGEST_END = (1 << 16) + 22


def damage_of(path, deep=False):
    """
    Why a checkpoint, a file or a folder, cannot be whole, in words; None where nothing speaks for that. `deep`: reads all
    of a file that holds checksums. @raises OSError
    """
    if not os.path.isdir(path):
        return damage_of_file(path, deep)
    names = []
    for folder, _, files in os.walk(path):
        for name in files:
            full = os.path.join(folder, name)
            inside = os.path.relpath(full, path)
            if name.endswith(TEMPORARY):
                return f"{inside} is not finished"
            damage = damage_of_file(full, deep) if os.path.getsize(full) or is_weights(name) else None
            if damage is None and name.endswith(".index.json"):
                damage = missing_shard(full)
            if damage is not None:
                return f"{inside}: {damage}"
            names.append(inside)
    if not names:
        return "it holds nothing"
    # Hugging Face's Trainer writes it last.
    if "trainer_state.json" not in names and has_sibling_with(path, "trainer_state.json"):
        return "it lacks trainer_state.json, which others have"
    return None


def is_weights(name):
    return name.endswith((".pt", ".pth", ".ckpt", ".bin", ".safetensors", ".h5", ".keras", ".npz", ".distcp"))


def has_sibling_with(path, name):
    above = os.path.dirname(os.path.abspath(path))
    return any(os.path.isfile(os.path.join(above, each, name)) for each in os.listdir(above))


def missing_shard(index):
    """Weights in several files have an index that names them."""
    try:
        with open(index, encoding="utf-8") as file:
            shards = set(json.load(file).get("weight_map", {}).values())
    except (ValueError, AttributeError, TypeError):
        return None
    folder = os.path.dirname(index)
    missing = sorted(each for each in shards if not os.path.isfile(os.path.join(folder, each)))
    return f"{missing[0]}, which it names, is not there" if missing else None


def damage_of_file(path, deep):
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        head = file.read(4096)
        if not head:
            return "it is empty"
        # The disk had given room to it when the machine went down.
        if not head.strip(b"\0"):
            return "it begins with zeros"
        if head.startswith(b"PK\x03\x04"):
            return damage_of_zip(file, size) or (damage_by_checksums(file) if deep else None)
        if head.startswith(b"\x89HDF\r\n\x1a\n"):
            return damage_of_hdf(head, size)
        if path.endswith(".safetensors"):
            return damage_of_safetensors(file, head, size)
        if path.endswith(".json") and size <= MOST_JSON:
            return damage_of_json(file)
    return None


def damage_of_json(file):
    file.seek(0)
    content = file.read()
    try:
        json.loads(content.decode("utf-8"))
    except ValueError:
        return None if has_json_lines(content) else "it is not whole JSON"
    return None


def has_json_lines(content):
    """Whether it is a list of values, a line each, in spite of its name."""
    first, _, more = content.strip().partition(b"\n")
    try:
        json.loads(first.decode("utf-8"))
    except ValueError:
        return False
    return bool(more)


def damage_of_zip(file, size):
    """PyTorch, Keras and NumPy write zip files: their table of contents comes last."""
    file.seek(max(0, size - LONGEST_END))
    end = file.read()
    at = end.rfind(b"PK\x05\x06")
    if at < 0 or len(end) - at < 22:
        return "its end is missing"
    length, begin = struct.unpack("<II", end[at + 12 : at + 20])
    if begin == 0xFFFFFFFF or length == 0xFFFFFFFF:
        # Of more than 4 GiB, or as PyTorch always writes it: a larger record lies before the end.
        record = end.rfind(b"PK\x06\x06", 0, at)
        if record < 0:
            return "its end is missing"
        length, begin = struct.unpack("<QQ", end[record + 40 : record + 56])
    file.seek(begin)
    if begin + length > size or file.read(4) not in (b"PK\x01\x02", b"PK\x06\x06", b"PK\x05\x06"):
        return "its table of contents is damaged"
    return None


def damage_by_checksums(file):
    """
    PyTorch can be told to write no checksums (set_crc32_options): where none is right, they tell nothing.
    """
    right, wrong = 0, None
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                with archive.open(info) as entry:
                    try:
                        while entry.read(BLOCK):
                            pass
                        right += info.file_size > 0
                    except zipfile.BadZipFile as error:
                        if not str(error).startswith("Bad CRC-32"):
                            raise
                        wrong = wrong or info.filename
    except (zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError) as error:
        return f"it can't be read: {error}"
    return f"the checksum of {wrong} in it is wrong" if wrong and right else None


def damage_of_safetensors(file, head, size):
    length = int.from_bytes(head[:8], "little")
    if length > MOST_HEADER or 8 + length > size:
        return "it ends within its header"
    file.seek(8)
    try:
        tensors = json.loads(file.read(length).decode("utf-8"))
        ends = [each["data_offsets"][1] for name, each in tensors.items() if name != "__metadata__"]
    except (ValueError, AttributeError, KeyError, IndexError, TypeError):
        return "its header is damaged"
    held, wanted = size - 8 - length, max(ends, default=0)
    return f"it holds {held} of {wanted} bytes of its tensors" if held < wanted else None


def damage_of_hdf(head, size):
    """The first block tells where the file ends."""
    try:
        at = 40 if head[8] < 2 else 28
        width = head[13] if head[8] < 2 else head[9]
        end = int.from_bytes(head[at : at + width], "little") if width == 8 else 0
    except IndexError:
        return "it ends within its header"
    return f"it has {size} of {end} bytes" if size < end else None
