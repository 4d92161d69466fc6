"""
Becomes Docker's client, which runs a command in a container of the workload's image: as this user, on this machine's network
and GPUs, with the folders in which results are looked for under their own paths.
"""

import os
import pwd
import re
import secrets

from base.document import takes
from base.files import read_json
from base.shell import CONTAINER, PASSED
from container.docker import open_socket

NAME = "lambda-train-"
FILE_SYSTEMS = "/lambda/nfs"
# A tool that writes temporary files finds these wherever it looks.
SHARED = ("/tmp", "/var/tmp")
# What a machine needs to reach others, and a terminal to be drawn.
USUAL = re.compile(r"LAMBDA_TRAIN_\w+|(?:https?|no|all|ftp)_proxy|MAKEFILES|TERM", re.IGNORECASE)
# Of this machine: sockets that nothing in the image serves.
OUTSIDE = ("PATH", "TMUX_TMPDIR", "SCREENDIR", "LAMBDA_TRAIN_TMUX", PASSED)


@takes(words=[str])
def contain(words):
    """Exit codes: the command's own; 125 Docker could not run it: its reason is on stderr."""
    open_socket()
    command, environment = client(read_json(CONTAINER, {}), words)
    os.execvpe(command[0], command, environment)


def client(settings, words):
    """The words that run others in a container, and their environment."""
    home, user = os.path.expanduser("~"), pwd.getpwuid(os.getuid()).pw_name
    variables = {"HOME": home, "USER": user, "LOGNAME": user, "LAMBDA_TRAIN_CONTAINED": "1"}
    # A machine that goes down tells the container's first process alone.
    variables["TINI_KILL_PROCESS_GROUP"] = "1"
    is_terminal = os.isatty(0) and os.isatty(1)
    command = [
        *(settings["docker"], "run", "--rm", "--init", "--interactive", *(["--tty"] if is_terminal else [])),
        *("--name", f"{NAME}{secrets.token_hex(6)}", "--log-driver", "none", "--pull", "never"),
        *("--network", "host", "--ipc", "host", "--ulimit", "memlock=-1", "--ulimit", "stack=67108864"),
        # What is written elsewhere would go with the container: that it fails is told at once.
        "--read-only",
        *("--user", settings["user"], "--workdir", os.getcwd()),
        *mounts(settings["accounts"], home),
        *(["--gpus", "all"] if os.path.exists("/dev/nvidiactl") else []),
        # By name: a value may be a secret, and arguments are for all to see.
        *(word for name in sorted({*passed(), *variables}) for word in ("--env", name)),
        *("--entrypoint", words[0], settings["image"], *words[1:]),
    ]
    return command, {**os.environ, **variables}


def mounts(accounts, home):
    folders = [home, *SHARED, *([FILE_SYSTEMS] if os.path.isdir(FILE_SYSTEMS) else [])]
    binds = [f"type=bind,source={folder},target={folder}" for folder in folders if os.path.isdir(folder)]
    # Programs that ask who they are find this user, whom the image doesn't know.
    binds += [f"type=bind,source={accounts}/{name},target=/etc/{name},readonly" for name in ("passwd", "group")]
    return [word for bind in [*binds, "type=tmpfs,target=/run"] for word in ("--mount", bind)]


def passed():
    """Names of the variables that a command gets besides its image's."""
    named = os.environ.get(PASSED, "").split()
    return {name for name in os.environ if name in named or USUAL.fullmatch(name)} - {*OUTSIDE}
