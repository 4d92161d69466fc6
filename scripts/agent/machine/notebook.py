"""Jupyter on the instance, on its loopback address, in a tmux session of its own."""

import json
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from secrets import token_hex

from base.document import Maybe, takes
from base.files import BASE, fact, note_by_hand, own_folder, put, under_home
from base.locks import hold
from base.processes import end_marked, own_command, quietly
from base.say import die
from base.secrets import keep_once, take_once
from base.shell import environment_with, restore_signals, with_environment
from base.text import last_lines

FOLDER = os.path.join(BASE, "notebook")
SESSION = "lambda-train-notebook"
MARK = f"LAMBDA_TRAIN_NOTEBOOK={SESSION}"
NOTHING_TO_STOP, NO_JUPYTER, NOT_STARTED = 3, 66, 67
# The environment's own Python comes first: its kernel then sees the environment's packages.
FIND = """
if python -c 'import jupyterlab' 2>/dev/null; then echo lab python -m jupyterlab
elif python -c 'import notebook' 2>/dev/null; then echo tree python -m notebook
elif command -v jupyter >/dev/null && jupyter lab --version >/dev/null 2>&1; then echo lab jupyter lab
elif command -v jupyter >/dev/null; then echo tree jupyter notebook
fi
"""


@takes(folder=str, secrets=Maybe({str: str}))
def start(folder, secrets):
    """
    Starts it, or finds it. Prints {port, token, path}. The token is made here and lies in a file for its user alone as long
    as Jupyter runs. `folder`: what it shows, relative to the home folder. Exit codes: 66 there is no Jupyter in the
    environment, 67 it did not start.
    """
    if shutil.which("tmux") is None:
        die(NOT_STARTED, "tmux is not installed on the instance: sudo apt-get install tmux")
    own_folder(FOLDER)
    hold(os.path.join(FOLDER, "lock"))
    if is_running() and listens():
        tell_place()
        return
    quietly(["tmux", "kill-session", "-t", f"={SESSION}"])
    end_marked(MARK, 5)
    found = find_program(folder)
    if not found:
        die(NO_JUPYTER, "There is no Jupyter in the workload's environment.")
    note_by_hand()
    put(os.path.join(FOLDER, "path"), found[0])
    put(os.path.join(FOLDER, "token"), token_hex(24))
    put(os.path.join(FOLDER, "port"), str(free_port()))
    told = {"folder": folder, "program": found[1:], "secrets": keep_once(secrets) if secrets else None}
    command = " ".join(["exec", *map(shlex.quote, own_command("notebook-now", **told))])
    quietly(["tmux", "new-session", "-d", "-s", SESSION, command])
    for _ in range(300):
        if listens():
            tell_place()
            return
        if not is_running():
            break
        time.sleep(0.2)
    log = os.path.join(FOLDER, "log")
    print("\n".join(last_lines(log, 20)).replace(fact(FOLDER, "token"), "…"), file=sys.stderr)
    die(NOT_STARTED, f"Jupyter did not start. Log on the instance: {log}")


@takes(folder=str, program=[str], secrets=Maybe(str))
def become(folder, program, secrets):
    """What tmux runs."""
    own = take_once(secrets)
    os.chdir(under_home(folder))
    environment = environment_with({}, JUPYTER_TOKEN=fact(FOLDER, "token"), LAMBDA_TRAIN_NOTEBOOK=SESSION, **own)
    # The environment's kernels, not the terminal's: Ctrl-C in the session asks, closing it ends all.
    log = os.open(os.path.join(FOLDER, "log"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    restore_signals()
    words = with_environment(
        [*program, "--no-browser", "--ip=127.0.0.1", f"--port={fact(FOLDER, 'port')}", "--ServerApp.port_retries=0"]
    )
    os.execvpe(words[0], words, environment)


@takes()
def stop():
    """Exit codes: 3 nothing to stop."""
    was = quietly(["tmux", "kill-session", "-t", f"={SESSION}"])
    end_marked(MARK, 5)
    shutil.rmtree(FOLDER, ignore_errors=True)
    sys.exit(0 if was else NOTHING_TO_STOP)


def is_running():
    return os.path.exists(os.path.join(FOLDER, "port")) and quietly(["tmux", "has-session", "-t", f"={SESSION}"])


def listens():
    try:
        with socket.create_connection(("127.0.0.1", int(fact(FOLDER, "port"))), timeout=5):
            return True
    except OSError:
        return False


def tell_place():
    print(json.dumps({"port": int(fact(FOLDER, "port")), "token": fact(FOLDER, "token"), "path": fact(FOLDER, "path")}))


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def find_program(folder):
    found = subprocess.run(
        with_environment(["bash", "-c", FIND]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        cwd=under_home(folder),
        env=environment_with(),
        check=False,
    )
    return found.stdout.decode().split()
