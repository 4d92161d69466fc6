"""The study's journal, and the copies that each worker has of it: a copy is a beginning of the journal."""

import hashlib
import os
import secrets

from base.document import Maybe, takes
from base.files import put, replace, unlink_if_there
from base.say import die, word
from sweep.places import epoch_in, make_folder, number_of_epoch, path_in

# Of the journal, in one answer.
CHUNK = 256 << 10


def new_epoch(experiment, after=""):
    """Names a study anew: each time that it is made or moved. Workers tell a new one again what they know."""
    epoch = f"{number_of_epoch(after) + 1}-{secrets.token_hex(4)}"
    put(path_in(experiment, "epoch"), epoch)
    return epoch


def chunk_of(journal, offset):
    """{journal, offset, size}: what of the journal follows an offset, in whole lines, and how far that is."""
    with open(journal, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        offset = offset if 0 <= offset <= size else 0
        file.seek(offset)
        lines = file.read(CHUNK)
        while lines and b"\n" not in lines:
            more = file.read(CHUNK)
            if not more:
                break
            lines += more
    lines = lines[: lines.rfind(b"\n") + 1]
    return {"journal": lines.decode("utf-8", "replace"), "from": offset, "offset": offset + len(lines), "size": size}


class Copy:
    """A worker's copy of the study."""

    def __init__(self, experiment):
        self.experiment = experiment
        self.path = path_in(experiment, "copy.log")
        self.epoch = epoch_in(experiment, "copy.epoch")
        # Of the study whose copy is being made, where that is another one.
        self.next_epoch = self.epoch
        self.offset = len(whole_lines(self.path))
        if os.path.exists(self.path):
            # What a full disk or a crash cut short comes again.
            os.truncate(self.path, self.offset)

    def coming(self):
        """The study of which `offset` bytes are here."""
        return self.next_epoch

    def take(self, answer):
        """Adds what a beat has brought. A study that was moved begins anew, beside the copy of the earlier one."""
        text = answer["journal"].encode()
        if answer["epoch"] != self.epoch:
            self.begin(answer, text)
        elif text and answer["from"] == self.offset:
            with open(os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
                file.write(text)
            self.offset = answer["offset"]

    def begin(self, answer, text):
        new = f"{self.path}.new"
        if answer["from"] == 0:
            unlink_if_there(new)
            self.next_epoch = answer["epoch"]
        elif answer["from"] != self.offset or answer["epoch"] != self.next_epoch:
            return
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(text)
        self.offset = answer["offset"]
        # Whole: from now on this one counts.
        if answer["offset"] >= answer["size"]:
            os.replace(new, self.path)
            put(path_in(self.experiment, "copy.epoch"), answer["epoch"])
            self.epoch = answer["epoch"]


def best_here(experiment):
    """(path, epoch, length) of the study or copy here that knows most; None where there is none."""
    found = []
    for name, of in (("journal.log", "epoch"), ("copy.log", "copy.epoch")):
        path = path_in(experiment, name)
        epoch = epoch_in(experiment, of)
        length = len(whole_lines(path))
        if epoch and length:
            found.append((number_of_epoch(epoch), length, path, epoch))
    return max(found)[1:] if found else None


def whole_lines(path):
    """The content without a last line that was cut short."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError:
        return b""
    return content[: content.rfind(b"\n") + 1]


@takes(experiment=str)
def tell_copy(experiment):
    """
    What this machine knows of the study: {"copy": {epoch, number, bytes, sha256, study}}, or {"copy": null}. Of several
    machines that one knows most which has the highest number, then the most bytes. `study`: it is the study's own journal.
    """
    best = best_here(experiment)
    if best is None:
        return word({"copy": None})
    length, path, epoch = best
    sha256 = hashlib.sha256(whole_lines(path)).hexdigest()
    is_study = os.path.basename(path) == "journal.log"
    copy = {"epoch": epoch, "number": number_of_epoch(epoch), "bytes": length, "sha256": sha256, "study": is_study}
    return word({"copy": copy})


@takes(experiment=str, file=Maybe(str), epoch=Maybe(str))
def adopt(experiment, file, epoch):
    """
    Makes what is known here the study, under a new epoch; nothing where it is the study already. `file`: a journal that was
    brought here, of the study with this epoch; it is taken where it knows more.
    """
    make_folder(experiment)
    best = best_here(experiment)
    length, path, known = best if best else (0, None, "")
    if file is not None:
        brought = whole_lines(file)
        if (number_of_epoch(epoch or ""), len(brought)) > (number_of_epoch(known), length):
            length, path, known = len(brought), file, epoch or ""
    if path is None:
        die(3, f"Nothing is known of the study of {experiment} on this machine: let another one have it.")
    journal = path_in(experiment, "journal.log")
    if path != journal:
        replace(journal, whole_lines(path).decode("utf-8", "surrogateescape"))
        new_epoch(experiment, known)
    word({"adopted": path != journal, "bytes": length, "epoch": epoch_in(experiment, "epoch")})
