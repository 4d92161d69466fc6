"""uv's environments: all that `uv.lock` names, in the versions that it names."""

import os
import re
import shlex
import shutil

from base.files import BASE, fact
from base.say import die, say
from base.shell import PROGRAMS
from steps.installing import NOT_MADE, run, tool

LOCK = "uv.lock"
VERSION = "0.13.9"
TOOLS = os.path.join(BASE, "tools")
# What a project asks of uv itself.
REQUIRED = re.compile(r"(?m)^required-version\s*=\s*[\"']([^\"'\n]+)[\"']")
# What calls uv in a setup script, and what installs it there.
CALLS = re.compile(r"(?m)^\s*(?:[\w=]+\s+)*uvx?\s")
INSTALLS = re.compile(r"astral\.sh/uv|\b(?:pip3?|pipx|conda|mamba|snap|cargo)\s.*\binstall\b.*\buv\b")
# Of packages that lie in the workspace.
LOCAL = re.compile(r"\bsource = \{ (?:editable|directory|path) =")


def project_of(lock):
    """The folder of a lock's project."""
    return os.path.dirname(lock) or "."


def is_project(lock):
    return os.path.isfile(lock) and os.path.isfile(os.path.join(project_of(lock), "pyproject.toml"))


def find_program(project=".", why=LOCK):
    """A uv that the project takes: the instance's, or one from PyPI. `why`: what needs it."""
    required = REQUIRED.search("\n".join(fact(project, name) for name in ("pyproject.toml", "uv.toml")))
    found = shutil.which("uv")
    if found is not None and required is None:
        return found
    asked = required.group(1) if required else VERSION
    requirement = f"uv{asked}" if re.match("[=<>!~]", asked) else f"uv=={asked}"
    name = re.sub("[^A-Za-z0-9.]+", "-", requirement)
    if not os.path.isdir(os.path.join(TOOLS, name)):
        say(f"Installing {requirement} from PyPI")
    program = tool(os.path.join(TOOLS, name), "uv", requirement, why)
    offer(os.path.dirname(program))
    return program


def find_program_for(script):
    """Sees that a setup script that calls uv without installing it finds one."""
    if CALLS.search(script) and not INSTALLS.search(script):
        find_program(why="The setup command")


def offer(folder):
    """Lets all commands of the workload call it by its name."""
    os.makedirs(PROGRAMS, exist_ok=True)
    for name in ("uv", "uvx"):
        place = os.path.join(PROGRAMS, name)
        if os.path.lexists(place):
            os.unlink(place)
        os.symlink(os.path.join(folder, name), place)


def sync(program, lock, prefix, asked, pythons=None):
    """
    Makes the environment of a lock. `asked`: names of extras and groups besides the project's default groups. `pythons`: folder
    for a Python that uv downloads.
    """
    options = [word for kind in ("extra", "group") for name in asked.get(f"{kind}s") or [] for word in (f"--{kind}", name)]
    say(f"Syncing {lock}{''.join(f' {word}' for word in options)} with {program}")
    # The setup command's own environment is another one.
    variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    variables["UV_PROJECT_ENVIRONMENT"] = prefix
    if pythons is not None:
        variables["UV_PYTHON_INSTALL_DIR"] = pythons
    if not run(program, "sync", "--frozen", "--no-progress", *options, cwd=project_of(lock), env=variables):
        die(NOT_MADE, f"The environment of {lock} could not be made; the reason stands above.")


def activation(prefix):
    """
    Shell lines that activate it, for plain `python` as for `uv run`. That changes nothing: it would take extras away, or wait
    for a network, while other processes train.
    """
    quoted = shlex.quote(prefix)
    return f'export VIRTUAL_ENV={quoted} UV_PROJECT_ENVIRONMENT={quoted} UV_NO_SYNC=1 PATH={quoted}/bin:"$PATH"'
