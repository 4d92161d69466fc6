"""The environment of a workload, and its own setup command."""

import json
import os
import shutil
import subprocess

from base.document import Maybe, takes
from base.files import BASE, put, under_home, unlink_if_there
from base.say import die, say
from base.shell import CONTAINER, ENVIRONMENT, PROGRAMS, environment_with, export_lines, strict, with_environment
from container.image import prepare, within
from steps import conda, found
from steps.activation import activated
from steps.gate import IMPORTS, ask_ahead
from steps.login import login_lines
from steps.making import Environment
from steps.step import Step
from steps.uv import find_program_for as find_uv_for

# `manager`: auto, conda, uv, venv or none. `file`: environment or requirements file relative to the workspace; empty: found.
# `setup`: the workload's setup command; empty: none. `activate`: the command that activates the environment that setup
# makes; empty: found. `answer`: to every question that setup asks; empty: its standard input is closed. `variables` hold for
# every later step. `cache`: the folder on a file system below which environments lie for all machines; `by`: what other
# machines call this one. `uv`: names of what uv installs besides the project's default groups.
SETUP = {
    "workspace": str,
    "workload": str,
    "manager": str,
    "file": str,
    "setup": str,
    "activate": Maybe(str),
    "answer": str,
    "variables": {str: str},
    "cache": Maybe({"folder": str, "by": str}),
    # A container image in which all commands of the workload run; none: the machine itself.
    "image": Maybe(str),
    "uv": Maybe({"extras": [str], "groups": [str]}),
}
MANAGERS = ("auto", "conda", "uv", "venv", "none")
SIGPIPE, NOT_EXECUTABLE, NOT_FOUND = 141, 126, 127
SHOWN = 200


@takes(hash=str, seconds=int, setup=SETUP, imports=Maybe(IMPORTS))
def setup(hash, seconds, setup, imports):
    """`imports`: what the gate will ask of the workload's Python; asked now, for its answers to be known by then."""
    verb = "setup-now" if setup["cache"] is None else "cache-setup-now"
    Step("setup").run(hash, seconds, verb, json.dumps(setup), [ENVIRONMENT])
    if imports is not None:
        ask_ahead(setup["workspace"], **imports)


@takes(**SETUP)
def setup_now(**told):
    """
    Writes ~/.lambda-train/env.sh, which later steps source. Exit codes: 3 the environment could not be made, otherwise the
    setup command's own.
    """
    set_up(Environment.make, **told)


def set_up(make, workspace, workload, manager, file, setup, activate, answer, variables, uv, image, **_):
    """`make`: makes an environment for a workspace, and gives the lines that activate it."""
    folder = under_home(workspace)
    if not os.path.isdir(folder):
        die(3, f"The workspace {folder} is not there: the code was not uploaded.")
    if manager not in MANAGERS:
        die(2, f"environment.manager must be auto, conda, uv, venv or none, not {manager}.")
    os.chdir(folder)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    unlink_if_there(CONTAINER)
    if image:
        set_up_image(folder, image, setup, activate, answer, variables)
        return
    offer_python()
    made = Environment(os.path.join(BASE, "envs", workload), manager, file, uv)
    # No second one is made beside the one that setup makes.
    by_setup = manager == "auto" and bool(activate or (setup and found.makes_environment(setup)))
    lines = "" if by_setup else make(made, folder)
    write(variables, lines)
    if by_setup and setup:
        say("Environment: the one that the setup command makes")
        text = found.text_of(setup)
        conda.find_program_for(text)
        find_uv_for(text)
    else:
        say(f"Environment: {made.manager}{f' ({made.file})' if made.file else ''}")
    left = found.Found(folder, made.names()) if setup and not activate and manager in ("auto", "none") else None
    if setup:
        run_setup(setup, answer)
    path = left.look() if left else None
    if path:
        say(f"Environment: {path}, which setup made")
        lines = found.activation(path)
    elif by_setup and not activate:
        say(f"The setup command has left {'several environments' if left and left.several else 'no environment'}.")
        lines = made.make(folder)
        say(f"Environment: {made.manager}{f' ({made.file})' if made.file else ''}")
    login = login_lines() if setup else ""
    write(variables, login, lines)
    if activate:
        lines = f"{lines}\n{activated(activate, folder)}"
        write(variables, login, lines)
    tell_ready(left)


def set_up_image(folder, image, setup, activate, answer, variables):
    """As `set_up`, where all commands run in containers of an image."""
    own = prepare(image)
    write(variables, own)
    left = found.Found(folder, []) if setup and not activate else None
    if setup:
        run_setup(setup, answer)
    path = left.look() if left else None
    if path:
        say(f"Environment: {path}, which setup made")
        write(variables, own, within(found.activation(path)))
    if activate:
        write(variables, own, within(activated(activate, folder)))
    tell_ready(left)


def tell_ready(left):
    several = left.several if left else []
    # In one line, the last: `up` shows that.
    unused = f". WARNING: setup made several environments, and none of them is used: {', '.join(several)}. Name one in "
    say(f"The environment is ready{unused + 'environment.activate' if several else ''}")


def write(variables, *lines):
    activation = "\n".join(filter(None, lines))
    put(
        ENVIRONMENT,
        f"""# Made by setup; sourced before every command of the workload.
export PYTHONUNBUFFERED=1
{activation}
{export_lines(variables)}
if [ -z "${{WANDB_MODE:-}}" ] && [ -z "${{WANDB_API_KEY:-}}" ] && ! grep -qs api.wandb.ai ~/.netrc; then export WANDB_MODE=offline; fi
""",
    )


def offer_python():
    """`python` where the system has `python3` alone, behind every other on PATH."""
    own = os.path.join(PROGRAMS, "python")
    system = shutil.which("python3")
    if shutil.which("python") is None and system is not None and not os.path.lexists(own):
        os.makedirs(PROGRAMS, exist_ok=True)
        os.symlink(system, own)


def run_setup(setup, answer):
    shown = in_short(setup)
    say(f"Running: {shown}")
    words = with_environment(strict(setup))
    if answer:
        with subprocess.Popen(["yes", "--", answer], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as answers:
            code = subprocess.run(words, stdin=answers.stdout, env=environment_with(), check=False).returncode
            answers.kill()
    else:
        code = subprocess.run(words, stdin=subprocess.DEVNULL, env=environment_with(), check=False).returncode
    code = 128 - code if code < 0 else code
    # All that stood to the right of that command in the pipe did well, as in `yes | ./install.sh`.
    if code not in (0, SIGPIPE):
        asked = not answer and code not in (NOT_EXECUTABLE, NOT_FOUND)
        hint = " (had it asked something: environment.answer is empty, so its input was closed)" if asked else ""
        die(code, f"The setup command ended with status {code}: {shown}{hint}")


def in_short(command):
    """Its first line: what it said must not be lost behind a long one."""
    lines = command.strip().split("\n")
    return lines[0][:SHOWN] + (" …" if len(lines) > 1 or len(lines[0]) > SHOWN else "")
