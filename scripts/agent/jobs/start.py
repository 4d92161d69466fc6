"""Starts a job: a command that is supervised as a run is, beside the runs of a stack."""

import os

from base.document import Maybe, takes
from base.files import now, own_folder, put
from base.locks import hold
from base.say import die, say
from jobs.imports import with_imports
from jobs.list import JOBS, keeper_of
from run import secrets
from run.session import start_supervisor
from run.start import require_budget
from run.state import RUNS, Run

TAKEN, NOT_STARTED, NO_RUN = 3, 5, 9


@takes(
    experiment=str,
    of=str,
    hash=str,
    workspace=str,
    folder=str,
    command=str,
    variables={str: str},
    grace=int,
    deadline=Maybe(int),
    results={"include": [str], "exclude": [str]},
)
def start(experiment, of, hash, workspace, folder, command, variables, grace, deadline, results):
    """
    `of`: the run whose variables, secrets and environment it has; `folder`: a copy of the workspace, in which it runs;
    `hash`: of what it is. The same that was started already: does nothing. Exit codes: 3 another run or job has this name,
    4 the budget is spent, 5 it did not start, 8 a secret is missing, 9 the run was never started here.
    """
    job = Run(experiment)
    own_folder(RUNS)
    own_folder(job.folder)
    hold(job.path("lock"))
    try:
        begin(job, of, hash, workspace, folder, command, variables, grace, deadline, results)
    except SystemExit:
        # They were brought for it.
        secrets.forget_unless_needed()
        raise


def begin(job, of, hash, workspace, folder, command, variables, grace, deadline, results):
    experiment = job.experiment
    if is_there(job, hash):
        say(f"already started: {experiment}")
        return
    attempt = Run(of).newest()
    described = attempt.get("description") if attempt is not None else None
    if described is None:
        die(NO_RUN, f"{of} was never started on this instance, so there is nothing to run beside: npm run up")
    limits = {} if deadline is None else {"deadline": deadline}
    require_budget(limits)
    secrets.require(described.get("secrets"))
    job.keep_keys(results)
    keeper = keeper_of(of, described)
    # By this list its run knows it, from before it is started.
    own_folder(JOBS)
    put(os.path.join(JOBS, experiment), keeper)
    begun = job.begin(
        hash=hash,
        askedHash=hash,
        description={
            "workspace": folder,
            "directory": described["directory"],
            "command": command,
            "variables": with_imports({**described["variables"], **variables}, workspace, folder),
            "secrets": described.get("secrets"),
            "outputs": described["outputs"],
            # It is under way as soon as it says anything.
            "firstStepPattern": ".",
            "grace": grace,
            "job": keeper,
        },
        limits=limits,
        startedAt=now(),
        used=0,
    )
    job.tell("started", attempt=begun.number)
    if not start_supervisor(begun):
        die(NOT_STARTED, f"The job {experiment} did not start within 10 s. Log on the instance: {job.log}")
    say(f"started: {experiment}, session {job.session}")


@takes(experiment=str, hash=str)
def look(experiment, hash):
    """Prints whether this job was started already. Exit codes: 3 another run or job has this name."""
    print("started" if is_there(Run(experiment), hash) else "free")


def is_there(job, hash):
    attempt = job.newest()
    if attempt is None:
        return False
    if attempt.get("hash") != hash or not (attempt.get("description") or {}).get("job"):
        die(TAKEN, f"There is a run or job {job.experiment} on the instance already, with another command or code.")
    return True
