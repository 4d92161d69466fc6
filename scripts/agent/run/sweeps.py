"""Runs of one sweep: its trials, and on each machine the worker that starts them."""

from run.state import runs

# Why a trial is stopped that was given to another machine, or that has ended elsewhere.
MOVED = "moved"


def sweep_of(described):
    return (described or {}).get("sweep")


def is_worker(run, described):
    """Whether a run is a sweep's worker: it trains nothing itself, and what is written is its trials'."""
    return sweep_of(described) == run.experiment


def is_trial(run, described):
    return sweep_of(described) is not None and not is_worker(run, described)


def folders_of_others(run, described):
    """Folders right below the outputs that belong to other trials here, and to the study: those that have their names."""
    sweep = sweep_of(described)
    if sweep is None:
        return set()
    found = {sweep} - {run.experiment}
    for other in runs():
        if other.experiment not in (run.experiment, sweep) and sweep_of(other.newest().get("description")) == sweep:
            found.add(other.experiment)
    return found
