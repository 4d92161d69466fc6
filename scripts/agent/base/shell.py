"""Commands of the user, which bash runs, with the environment that setup has made."""

import os
import re
import shlex
import signal

from base import secrets
from base.files import BASE, under_home
from base.processes import own_command

ENVIRONMENT = os.path.join(BASE, "env.sh")
# There where the workload's commands run in a container (container/client.py).
CONTAINER = os.path.join(BASE, "container.json")
# Names the variables that the agent sets for a command.
PASSED = "LAMBDA_TRAIN_PASSED"
# Programs that setup found missing; last on PATH.
PROGRAMS = os.path.join(BASE, "bin")
# `make` takes its shell from no variable of the environment, but reads the files that this one names.
MAKE_RULES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "bash.mk")
# Variables come by the environment: they may hold secrets, and arguments are for all to see. Activation scripts of others
# do not survive `set -eu`.
PRELUDE = (
    '''if [ -f "$1" ]; then . "$1"; fi; shift; eval "$LAMBDA_TRAIN_VARIABLES"; unset LAMBDA_TRAIN_VARIABLES; exec -- "$@"'''
)


def strict(command):
    """A command that fails where any part of a pipe fails: a training that crashes into `| tee` has crashed."""
    return ["bash", "-o", "pipefail", "-c", command]


def with_environment(words, on_machine=False):
    """
    The words that run others in the workload's environment. Needs `environment_with`. `on_machine`: not in its container,
    where it has one.
    """
    prepared = ["bash", "-c", PRELUDE, "agent", ENVIRONMENT, *words]
    if on_machine or not os.path.exists(CONTAINER):
        return prepared
    return own_command("contain", words=prepared)


def environment_with(variables=None, **more):
    """
    This process's environment with the secrets that are here, what a login adds to it, and the user's variables for
    `with_environment`.
    """
    added = {"PATH": search_path(), "MAKEFILES": make_files(), "LAMBDA_TRAIN_VARIABLES": export_lines(variables or {})}
    known = secrets.values()
    return {**os.environ, **known, **added, **more, PASSED: " ".join([*known, *more])}


def search_path():
    """PATH with the folder first into which `pip install --user`, pipx, uv and poetry install, as a login has it."""
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    first = [folder for folder in [os.path.expanduser("~/.local/bin")] if folder not in folders]
    last = [folder for folder in [PROGRAMS] if folder not in folders]
    return os.pathsep.join([*first, *folders, *last])


def make_files():
    named = os.environ.get("MAKEFILES", "").split()
    return " ".join([*(name for name in named if name != MAKE_RULES), MAKE_RULES])


def export_lines(variables):
    """
    `export` lines: the text as written, but for a variable's own name. `/opt/bin:$PATH` of PATH adds to the value that it
    has.
    """
    return "".join(f"export {name}={valued(name, value)}\n" for name, value in variables.items())


def valued(name, value):
    if not re.fullmatch("[A-Za-z_][A-Za-z0-9_]*", name):
        raise OSError(f'"{name}" is not a name of an environment variable: use letters, digits and _ only.')
    parts = re.split(rf"\$(?:\{{{name}\}}|{name}(?![A-Za-z0-9_]))", value)
    return f'"${{{name}-}}"'.join(shlex.quote(part) if part or len(parts) == 1 else "" for part in parts)


def workplace(described):
    """Where a workload's commands run."""
    return os.path.normpath(os.path.join(under_home(described["workspace"]), described["directory"]))


def restore_signals():
    """Python ignores these, and what is ignored stays ignored in a program that is started."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGQUIT, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
