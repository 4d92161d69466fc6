"""The jobs that were started beside a run."""

import os

from base.files import BASE, fact
from run.state import Run

JOBS = os.path.join(BASE, "jobs")


def jobs_of(run):
    """Those beside this run that were ever started, by name."""
    try:
        names = sorted(os.listdir(JOBS))
    except OSError:
        return []
    found = [Run(name) for name in names if fact(JOBS, name) == run.experiment]
    return [job for job in found if job.number()]
