"""Virtual environments over the system's Python, and what installs into them."""

import os
import shutil
import subprocess

from base.processes import quietly
from base.say import die, say

NOT_MADE = 3


def run(*command, **more):
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False, **more).returncode == 0


def make_plain_venv(prefix):
    """A venv over the system's packages, if there is none yet. Gives its Python."""
    python = os.path.join(prefix, "bin/python")
    if not os.access(python, os.X_OK):
        say("Making a virtual environment over the system's Python")
        # Without pip of its own it needs no python3-venv package; the system's pip is seen in it.
        if not run("python3", "-m", "venv", "--system-site-packages", "--without-pip", prefix):
            die(NOT_MADE, "python3 cannot make a virtual environment: sudo apt-get install python3-venv")
    return python


def installer(python, what):
    """The words that install into a venv."""
    if not quietly([python, "-m", "pip", "--version"], 60):
        if shutil.which("uv"):
            return ["uv", "pip", "install", "--python", python]
        if not quietly([python, "-m", "ensurepip", "--default-pip"], 300):
            die(NOT_MADE, f"There is neither pip nor uv to install {what} with: sudo apt-get install python3-pip")
    return [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]


def tool(home, name, requirement, why):
    """Path of a tool from PyPI in a virtual environment of its own, made where it isn't there."""
    program = os.path.join(home, "bin", name)
    if not os.access(program, os.X_OK) and not run(*installer(make_plain_venv(home), name), requirement):
        die(NOT_MADE, f"{why} needs {name}, which could not be installed; the reason stands above.")
    return program
