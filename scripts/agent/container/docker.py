"""Docker on this instance: its client's program, and the right to use it."""

import os
import pwd
import re
import shutil
import subprocess

from base.processes import quietly
from base.say import die
from base.shell import search_path

SOCKET = "/var/run/docker.sock"
FAILED = 3
HINT = re.compile(r"(?:See|Run) 'docker .*--help'")


def find_docker():
    """Path of Docker's client, whose daemon this user may call; ends the verb where there is none."""
    program = shutil.which("docker", path=search_path())
    if program is None:
        die(
            FAILED,
            "environment.image needs Docker, and this instance has no `docker` on its PATH. Choose an instance and an "
            "imageFamily with Docker (Lambda Stack has it), or leave environment.image out.",
        )
    open_socket()
    told = said_by([program, "version", "--format", "{{.Server.Version}}"], 60)
    if told is None or told.returncode != 0:
        die(
            FAILED,
            f"Docker doesn't answer on this instance: {reason_of(told)}. Try `sudo docker info` there (npm run ssh).",
        )
    return program


def open_socket():
    """
    Lets this user, who may become root anyway, call the daemon without sudo: signals reach a client that is its own process,
    and its variables stay what they are. The socket is another one after each boot.
    """
    if "DOCKER_HOST" not in os.environ and os.path.exists(SOCKET) and not os.access(SOCKET, os.R_OK | os.W_OK):
        quietly(["sudo", "-n", "chown", pwd.getpwuid(os.getuid()).pw_name, SOCKET])


def said_by(words, seconds, env=None):
    """How a program ended, with all that it said; None where it didn't end in time."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    try:
        return subprocess.run(words, timeout=seconds, check=False, env=env, **streams)
    except subprocess.TimeoutExpired:
        return None


def reason_of(ended):
    """Why a program of Docker's failed."""
    if ended is None:
        return "no answer in time"
    return reason_in(ended.stdout.decode("utf-8", "replace")) or f"status {ended.returncode}"


def reason_in(text):
    """The last line that is no hint how to call Docker."""
    lines = [line.strip() for line in text.split("\n")]
    told = [line for line in lines if line and not HINT.match(line)]
    return told[-1].rstrip(". ") if told else ""
