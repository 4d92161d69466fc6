"""Asks the study of this machine, and starts its server where it doesn't run."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import time

from base.document import takes
from base.files import read_json
from base.locks import hold, release
from base.processes import is_alive, outside, own_command, pid_in, quietly, start_detached
from base.say import die, word
from base.text import last_lines
from sweep.packages import python_with_optuna
from sweep.places import VERSION, folder_of, make_folder, path_in

STARTS, ANSWERS = 30, 60


@takes(experiment=str, request=object)
def study_call(experiment, request):
    """
    Prints the answer to a request (see sweep/server.py) as {"ok": …} or {"error": text}. Who asks first makes the study:
    it is on the machine that is asked.
    """
    word(answer_to(experiment, request))


@takes(experiment=str, request=object)
def answer_peer(experiment, request):
    """The same for another machine of the fleet. @raises Failed"""
    answer = answer_to(experiment, request)
    if "error" in answer:
        die(1, answer["error"])
    return answer["ok"]


def answer_to(experiment, request):
    """{"ok": …} or {"error": text}."""
    if not isinstance(request, dict) or re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]{0,62}", experiment) is None:
        die(2, "study-call: experiment must be an experiment's name, and request an object")
    try:
        return json.loads(asked(experiment, request))
    except (OSError, ValueError):
        # It does not run, or was killed before it answered. Each request may come twice.
        start(experiment)
        return json.loads(asked(experiment, request))


def asked(experiment, request):
    if not is_current(experiment):
        raise ConnectionRefusedError
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWERS)
        # A socket's path has little room: 108 bytes. Through the open folder it is short.
        folder = os.open(folder_of(experiment), os.O_RDONLY)
        try:
            connection.connect(f"/proc/self/fd/{folder}/socket")
        finally:
            os.close(folder)
        connection.sendall(json.dumps(request).encode() + b"\n")
        with connection.makefile("rb") as answer:
            return answer.readline()


def is_current(experiment):
    """Whether its server runs, and takes what this release asks: one of a later release does."""
    known = read_json(path_in(experiment, "server.json"), {})
    return known.get("version", 0) >= VERSION and is_alive(known.get("process"))


def start(experiment):
    make_folder(experiment)
    python = python_with_optuna()
    lock = hold(path_in(experiment, "start.lock"))
    try:
        if is_current(experiment) and os.path.exists(path_in(experiment, "socket")):
            return
        end(experiment)
        started = time.monotonic()
        launch(experiment, python)
        while not is_current(experiment):
            if time.monotonic() - started > STARTS:
                log = path_in(experiment, "server.log")
                die(1, f"The study's server did not start within {STARTS} s ({log}): {' '.join(last_lines(log, 5, 300))}")
            time.sleep(0.05)
    finally:
        release(lock)


def end(experiment):
    """Ends the server, whatever release it is of."""
    process = read_json(path_in(experiment, "server.json"), {}).get("process")
    while is_alive(process):
        try:
            os.kill(pid_in(process), signal.SIGTERM)
        except ProcessLookupError:
            pass
        time.sleep(0.05)


def launch(experiment, python):
    _, _, *words = own_command("study-serve", experiment=experiment)
    # Isolated, but with the packages of its environment.
    command = [python, "-I", *words]
    log = path_in(experiment, "server.log")
    environment = outside()
    if shutil.which("tmux") is not None:
        # In tmux's server it is no part of the run that asks. It keeps the terminal as its input: without one tmux ends it.
        text = f"exec {' '.join(map(shlex.quote, command))} >>{shlex.quote(log)} 2>&1"
        session = f"{experiment}-study".replace(".", "_").replace(":", "_")
        quietly(["tmux", "kill-session", "-t", f"={session}"], env=environment)
        words = ["tmux", "new-session", "-d", "-s", session, text]
        if subprocess.run(words, stdin=subprocess.DEVNULL, env=environment, check=False).returncode == 0:
            return
    start_detached(command, log, env=environment)
