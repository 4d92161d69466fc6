"""Which of a run's attempts are of the same configuration, and which of another one."""

from base.files import moment


def is_same(attempt, hash, stands):
    """
    Whether an attempt runs what these hashes stand for: its own settings, and the code, data and environment below them.
    An earlier release noted fewer of them.
    """
    pairs = ((attempt.get("hash"), hash), (attempt.get("stands"), stands))
    return all(known in (None, "", wanted) or wanted is None for known, wanted in pairs)


def own_attempts(run):
    """The attempts with the settings of the newest, the earliest first."""
    newest = run.newest()
    return [] if newest is None else [each for each in run.attempts() if is_same(each, newest.get("hash"), None)]


def since(run):
    """
    From when on what lies in the outputs is of the newest attempt's settings, in nanoseconds: other settings may have
    written there before. 0 where there were none.
    """
    began = None
    newest = run.newest()
    for attempt in reversed(run.attempts()):
        if not is_same(attempt, newest.get("hash"), None):
            # What is about to begin has written nothing yet.
            return moment() if began is None else began
        began = attempt.get("mark") or began
    return 0


def has_finished(attempt):
    """Whether training came to its own end."""
    return attempt.get("exit") == 0 and not attempt.has("stopReason") and not attempt.has("detached")


def goes_on(run, hash):
    """
    Whether an attempt with these settings goes on from what the newest one has left in the outputs. What was stopped or
    has failed may have been changed for just that; what has finished is done, unless somebody asked for it (go-on).
    """
    attempt = run.newest()
    if attempt is None or is_same(attempt, hash, None) or not has_finished(attempt):
        return True
    return run.document().get("goOn") == attempt.number
