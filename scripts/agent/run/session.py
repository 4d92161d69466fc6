"""The tmux session in which an attempt is supervised."""

import shlex
import shutil
import subprocess
import sys
import time

from base.locks import hold, release
from base.processes import own_command, quietly, start_detached
from run.standing import is_unsupervised


def start_supervisor(attempt, adopt=False):
    """Starts a supervisor for an attempt, in a session of its own, and waits for it. False where none comes."""
    run = attempt.run
    before = attempt.get("supervisor")
    command = own_command("supervise", experiment=run.experiment, adopt=adopt)
    if shutil.which("tmux") is None:
        print("tmux is not installed: the run is detached, but there is no session to attach to", file=sys.stderr)
        start_detached(command)
    else:
        quietly(["tmux", "kill-session", "-t", f"={run.session}"])
        # A server that ends with its last session can be met while it ends: the next call starts another.
        for _ in range(5):
            if new_session(run.session, command):
                break
            time.sleep(0.2)
            if attempt.get("supervisor") != before:
                break
    for _ in range(100):
        if attempt.get("supervisor") != before:
            return True
        time.sleep(0.1)
    return False


def new_session(session, command):
    words = [
        "tmux",
        "new-session",
        "-d",
        "-s",
        session,
        "-x",
        "200",
        "-y",
        "50",
        " ".join(["exec", *map(shlex.quote, command)]),
        ";",
        "set-option",
        "-t",
        f"={session}:",
        "remain-on-exit",
        "on",
    ]
    return subprocess.run(words, stdin=subprocess.DEVNULL, check=False).returncode == 0


def take_up(run):
    """
    Takes up the supervision of a run whose supervisor was killed: its limits, its first step, its end and its evaluation.
    Does nothing to a run that has a supervisor, or nothing to supervise. False where none comes.
    """
    lock = hold(run.path("lock"))
    try:
        attempt = run.newest()
        return not is_unsupervised(attempt) or start_supervisor(attempt, adopt=True)
    finally:
        release(lock)
