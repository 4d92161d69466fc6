"""The checkpoint from which an attempt resumes."""

import glob
import os

from run.output import outputs_of

USUAL = ("checkpoint-*", "checkpoints/*", "*.pt", "*.pth", "*.ckpt", "*.safetensors", "**/checkpoints/*.ckpt")
TEMPORARY = (".tmp", ".temp", ".part", ".partial")


def resume_checkpoint(attempt):
    """
    Its absolute path; None where the run has no train.resume, or no checkpoint yet. A file that is empty or still has a
    temporary name is none.
    """
    described = attempt.get("description") or {}
    resume = described.get("resume")
    if not resume:
        return None
    # What had finished with other settings is nothing to go on from, where it could not be removed either.
    cleared = max((each.get("clearedAt", 0) for each in attempt.run.attempts()), default=0)
    output = attempt.get("outputPath") or os.path.join(outputs_of(described), attempt.run.experiment)
    found = []
    for pattern in (resume["checkpoint"],) if resume.get("checkpoint") else USUAL:
        for path in glob.glob(os.path.join(glob.escape(os.path.abspath(output)), pattern), recursive=True):
            try:
                seen = os.stat(path)
            except OSError:
                continue
            is_older = max(seen.st_mtime_ns, seen.st_ctime_ns) <= cleared
            if seen.st_size > 0 and not is_older and not path.endswith(TEMPORARY):
                found.append((seen.st_mtime_ns, path))
    return max(found)[1] if found else None
