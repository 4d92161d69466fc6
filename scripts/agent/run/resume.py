"""The checkpoint from which an attempt resumes."""

import glob
import os

from run.output import outputs_of
from run.soundness import DAMAGED, TEMPORARY, damage_of

USUAL = ("checkpoint-*", "checkpoints/*", "*.pt", "*.pth", "*.ckpt", "*.safetensors", "**/checkpoints/*.ckpt")


class Resume:
    """The newest whole checkpoint among an attempt's outputs, and what was passed over for it."""

    def __init__(self, attempt, deep=False):
        self.path = None
        # (path, why it is damaged) of what is newer.
        self.damaged = []
        for _, path in sorted(found_of(attempt), reverse=True):
            try:
                damage = damage_of(path, deep)
            except OSError:
                continue  # Removed meanwhile, as old checkpoints are.
            if damage is None:
                self.path = path
                return
            self.damaged.append((path, damage))


def resume_checkpoint(attempt):
    """
    Its absolute path; None where the run has no train.resume, or no checkpoint yet. A file that is empty, damaged, or still
    has a temporary name is none.
    """
    return Resume(attempt).path


def resumes_itself(attempt):
    """True where training finds its checkpoint by itself; None otherwise."""
    resume = (attempt.get("description") or {}).get("resume")
    return True if resume and not resume["command"] else None


def found_of(attempt):
    """When each checkpoint was written, and its path."""
    described = attempt.get("description") or {}
    resume = described.get("resume")
    if not resume:
        return []
    output = attempt.get("outputPath") or os.path.join(outputs_of(described), attempt.run.experiment)
    # What had finished with other settings is nothing to go on from, where it could not be removed either.
    cleared = max((each.get("clearedAt", 0) for each in attempt.run.attempts()), default=0)
    return [each[:2] for each in checkpoints_in(output, resume.get("checkpoint")) if each[2] > cleared]


def checkpoints_in(output, pattern):
    """What looks like a checkpoint in a folder: when it was written, its path, and when it last changed in any way."""
    found = {}
    for each in (pattern,) if pattern else USUAL:
        for path in glob.glob(os.path.join(glob.escape(os.path.abspath(output)), each), recursive=True):
            try:
                seen = os.stat(path)
            except OSError:
                continue
            if seen.st_size > 0 and not path.endswith((*TEMPORARY, DAMAGED)):
                found[path] = (seen.st_mtime_ns, path, max(seen.st_mtime_ns, seen.st_ctime_ns))
    return list(found.values())


def put_aside(path):
    """Gives a damaged checkpoint another name, so that training does not look for it. Its new path."""
    aside = path + DAMAGED
    number = 2
    while os.path.lexists(aside):
        aside = f"{path}-{number}{DAMAGED}"
        number += 1
    os.rename(path, aside)
    return aside
