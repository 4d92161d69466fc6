"""Which of a run's attempts are of the same configuration, and which of another one."""

import hashlib

from base.checksum import sha256_of
from base.files import moment


def is_same(attempt, hash, stands):
    """
    Whether an attempt runs what these hashes stand for: its own settings, and the code, data and environment below them.
    An earlier release noted fewer of them.
    """
    pairs = ((attempt.get("hash"), hash), (attempt.get("stands"), stands))
    return all(known in (None, "", wanted) or wanted is None for known, wanted in pairs)


def own_attempts(run, hash=None):
    """The newest attempts with the same settings, up to one with others; the earliest first."""
    own = []
    for attempt in reversed(run.attempts()):
        hash = hash or attempt.get("hash")
        if not is_same(attempt, hash, None):
            break
        own.insert(0, attempt)
    return own


def since(run):
    """
    From when on what lies in the outputs is of the newest attempt's settings, in nanoseconds: other settings may have
    written there before. 0 where there were none.
    """
    own = own_attempts(run)
    if len(own) == run.number():
        return 0
    # What is about to begin has written nothing yet.
    return min((each.get("mark") for each in own if each.has("mark")), default=moment())


def has_finished(attempt):
    """Whether training came to its own end. A worker for which there is work again has not."""
    if attempt.has("reopened"):
        return False
    return attempt.get("exit") == 0 and not attempt.has("stopReason") and not attempt.has("detached")


def with_file(hash, path):
    """The hash of settings of which a file's content is part."""
    return hashlib.sha256(f"{hash} {sha256_of(path)}".encode()).hexdigest()


def goes_on(run, hash, asked=None):
    """
    Whether an attempt with these settings goes on from what the newest one has left in the outputs. What was stopped or
    has failed may have been changed for just that; what has finished is done, unless somebody asked for it (go-on). `asked`: the hash by which
    they call these settings, where that is another.
    """
    attempt = run.newest()
    if attempt is None or is_same(attempt, hash, None) or not has_finished(attempt):
        return True
    return run.document().get("goOn") == {"attempt": attempt.number, "hash": asked or hash}
