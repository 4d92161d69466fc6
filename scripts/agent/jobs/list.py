"""The jobs that were started on this instance, each beside a run."""

import os

from base.files import BASE, fact
from run.state import Run
from run.sweeps import sweep_of

JOBS = os.path.join(BASE, "jobs")


def jobs():
    """Those that were ever started, by name."""
    try:
        names = sorted(os.listdir(JOBS))
    except OSError:
        return []
    return [job for job in map(Run, names) if job.number()]


def jobs_of(run):
    """Those beside this run."""
    return [job for job in jobs() if fact(JOBS, job.experiment) == run.experiment]


def keeper_of(experiment, described):
    """
    Name of the run that tells of a job beside this one, and with which it ends: the state knows neither a sweep's trials nor
    jobs.
    """
    return described.get("job") or sweep_of(described) or experiment
