"""A command in the workload's folder, with the environment and the variables that training has."""

import os

from base.document import Maybe, takes
from base.files import BASE, note_by_hand, under_home
from base.say import die
from base.secrets import take_once
from base.shell import environment_with, restore_signals, with_environment
from jobs.imports import with_imports
from run.processes import ByHand
from run.state import Run


@takes(experiment=str, folder=str, words=[str], secrets=Maybe(str), copy=Maybe({"of": str, "at": str}))
def become(experiment, folder, words, secrets, copy):
    """
    Becomes the command. `experiment`: whose variables are set, where it has been started; may be empty. `folder`: where the
    command runs, relative to the home folder; empty: there. `copy`: it is, or lies in, a copy of a workspace. Exit codes:
    the command's own; 127 there is no such folder or command.
    """
    own = take_once(secrets)
    try:
        os.chdir(under_home(folder or "."))
    except OSError:
        die(
            127,
            f"There is no folder {folder} on the instance (yet): `npm run exec -- --home -- …` runs in the home folder.",
        )
    attempt = Run(experiment).newest() if experiment else None
    described = attempt.get("description") if attempt else None
    note_by_hand()
    variables = described["variables"] if described else {}
    if copy is not None:
        variables = with_imports(variables, copy["of"], copy["at"])
    # By this an instance that ends itself sees that somebody works on it.
    environment = environment_with(variables, LAMBDA_TRAIN_AT_WORK=BASE, **own)
    restore_signals()
    command = with_environment(words)
    os.execvpe(command[0], command, environment)


@takes(mark=str, grace=int)
def stop(mark, grace):
    """
    Ends the processes with this `NAME=value` in their environment: one TERM, also in a container, `grace` seconds of
    patience, KILL.
    """
    ByHand(mark).stop(grace)
