"""The Python that a workload's command runs."""

import os
import re
import subprocess

from base.shell import environment_with, with_environment

USUAL = "python3"
# With what runs it in an environment of its own, if anything does.
PYTHON = re.compile(
    r"(?:^|[\s;&|(`@])((?:(?:uv|poetry|pipenv|pixi|pdm|hatch)\s+run\s+|(?:conda|mamba|micromamba)\s+run\s+(?:-\S+\s+\S+\s+)*)?"
    r"(?:[\w.~/${}-]*/)?python[\d.]*)(?=\s|$)",
    re.MULTILINE,
)
MAKE = re.compile(r"(?:^|[;&|(])\s*((?:\w+=\S*\s+)*make(?:\s[^;&|()]*)?)")
SECONDS = 30


def python_of(command, folder):
    """Shell words that run the Python which a command runs in a folder; the usual one where it can't be told."""
    found = PYTHON.search(command) or PYTHON.search(recipe_of(command, folder))
    return found.group(1) if found else python_of_program(command) or USUAL


def recipe_of(command, folder):
    """What `make` would run, its variables filled in."""
    found = MAKE.search(command)
    if found is None:
        return ""
    dry = re.sub(r"\bmake\b", "make -n", found.group(1), count=1)
    return said_by(["bash", "-c", dry], folder)


def python_of_program(command):
    """Of a program that is itself a Python script, as torchrun."""
    words = [word for word in command.split() if not re.fullmatch(r"\w+=\S*|exec|nohup|env|time", word)]
    path = said_by(["bash", "-c", 'command -v -- "$1"', "agent", words[0]], "/") if words else ""
    try:
        with open(path.strip(), "rb") as file:
            first = file.readline(512).decode(errors="replace").strip()
    except OSError:
        return None
    found = re.fullmatch(r"#!\s*(?:/usr/bin/env\s+)?(\S*python[\d.]*)(?:\s.*)?", first)
    return found.group(1) if found else None


def said_by(words, folder):
    if not os.path.isdir(folder):
        return ""
    done = subprocess.run(
        with_environment(["timeout", "--kill-after=5", str(SECONDS), *words]),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=folder,
        env=environment_with(),
        check=False,
    )
    return done.stdout.decode("utf-8", "replace")
