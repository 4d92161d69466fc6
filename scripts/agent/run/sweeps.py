"""Runs of one sweep: its trials, and on each machine the worker that starts them."""

import os

from run.state import runs


def sweep_of(described):
    return (described or {}).get("sweep")


def is_worker(run, described):
    """Whether a run is a sweep's worker: it trains nothing itself, and what is written is its trials'."""
    return sweep_of(described) == run.experiment


def folders_of_others(run, described):
    """Folders right below the outputs that belong to other trials here, by the experiments' names and by what is known."""
    sweep, found = sweep_of(described), set()
    if sweep is None:
        return found
    outputs = os.path.join(described["workspace"], described["outputs"])
    for other in runs():
        newest = other.newest()
        if other.experiment == run.experiment or sweep_of(newest.get("description")) != sweep or other.experiment == sweep:
            continue
        found.add(other.experiment)
        # A folder that it has found to be its own; not all of the outputs.
        known = newest.get("outputPath")
        if known and os.path.basename(os.path.normpath(outputs)) != os.path.basename(known):
            found.add(os.path.basename(known))
    return found - {run.experiment}
