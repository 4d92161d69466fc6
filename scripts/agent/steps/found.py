"""The Python environment that a workload's own setup made, told by what it left."""

import glob
import os
import re
import shlex

from base.files import BASE, read_json, write_json
from steps import conda

# `before`: the environments that were there when a setup began that has not ended well; `made`: those that came since.
NOTES = os.path.join(BASE, "setup-environments.json")
# What makes an environment, in a setup script.
MAKES = re.compile(
    r"\benv\s+create\b|\bcreate\s(?:.*\s)?(?:-n|--name|-p|--prefix)\b|-m\s+(?:venv|virtualenv)\b|\bvirtualenv\s"
    r"|\buv\s+(?:venv|sync)\b|\b(?:poetry|pipenv|pdm|pixi)\s+(?:install|sync)\b|\bMini(?:conda3|forge3)-|\bMambaforge-"
    r"|\bmicro\.mamba\.pm\b"
)
LONGEST_SCRIPT = 1 << 18


def text_of(command, depth=3):
    """A command, with the text of the workload's files that it names: those too may name others."""
    texts = [command]
    try:
        words = shlex.split(command, comments=True)
    except ValueError:
        words = command.split()
    if depth == 0:
        return command
    for name in {word.strip(";&|()") for word in words}:
        if name and os.path.isfile(name) and os.path.getsize(name) < LONGEST_SCRIPT:
            with open(name, encoding="utf-8", errors="replace") as file:
                texts.append(text_of(file.read(), depth - 1))
    for target in re.findall(r"\bmake\s+(?:-\S+\s+)*([\w.-]+)", command):
        texts.append(text_of(recipe_of(target), depth - 1))
    return "\n".join(texts)


def recipe_of(target):
    for name in ("GNUmakefile", "makefile", "Makefile"):
        if os.path.isfile(name):
            with open(name, encoding="utf-8", errors="replace") as file:
                rule = rf"^(?:[^\n:#]*\s)?{re.escape(target)}(?:\s[^\n:]*)?::?(?!=).*\n((?:\t.*\n?)*)"
                found = re.search(rule, file.read() + "\n", re.MULTILINE)
            return found.group(1) if found else ""
    return ""


def makes_environment(setup):
    """Whether a setup command looks as if it makes an environment of its own."""
    lines = text_of(setup).split("\n")
    return any(MAKES.search(line) for line in lines if not line.lstrip().startswith("#"))


def environments(workspace):
    """Paths of all Python environments in the places where tools make them, but for those of ours."""
    patterns = [
        *(f"{glob.escape(folder)}/{each}/pyvenv.cfg" for folder in (workspace, "~") for each in ("*", ".*")),
        *(f"{glob.escape(workspace)}/*/{each}/pyvenv.cfg" for each in ("*", ".*")),
        *(f"{glob.escape(workspace)}/{each}/conda-meta" for each in ("*", ".*", ".pixi/envs/default")),
        *(f"~/{each}/*/pyvenv.cfg" for each in (".virtualenvs", "venvs", ".venvs", "envs")),
        "~/.cache/pypoetry/virtualenvs/*/pyvenv.cfg",
        "~/.local/share/virtualenvs/*/pyvenv.cfg",
    ]
    marks = [mark for pattern in patterns for mark in sorted(glob.glob(os.path.expanduser(pattern)))]
    found = [*conda.environments(), *map(os.path.dirname, marks), *conda.roots()]
    ours = os.path.join(BASE, "")
    return [path for path in dict.fromkeys(found) if conda.has_python(path) and not path.startswith(ours)]


class Found:
    """What setup leaves in a workspace, seen from before it runs. `names`: of the workload's environment files."""

    def __init__(self, workspace, names):
        self.workspace, self.names = workspace, names
        # Where it left more than one, and nothing tells which is meant.
        self.several = []
        notes = read_json(NOTES, {})
        self.made = notes.get("made", [])
        # A setup that was cut off has made what its next try finds.
        self.before = notes["before"] if "before" in notes else environments(workspace)
        write_json(NOTES, {"before": self.before, "made": self.made})

    def look(self):
        """The environment that setup made, or None."""
        there = environments(self.workspace)
        self.made = [path for path in there if path in self.made or path not in self.before]
        write_json(NOTES, {"made": self.made})
        named = [path for name in self.names for path in there if conda.is_conda(path) and os.path.basename(path) == name]
        if named:
            return named[0]
        bases = conda.roots()
        own = [path for path in self.made if path not in bases] or self.made
        self.several = own if len(own) > 1 else []
        return own[0] if len(own) == 1 else None


def activation(path):
    """Shell lines that activate an environment."""
    if conda.is_conda(path) or not os.path.isfile(os.path.join(path, "pyvenv.cfg")):
        return conda.activation(path)
    quoted = shlex.quote(path)
    return f'export VIRTUAL_ENV={quoted} PATH={quoted}/bin:"$PATH"\nunset PYTHONHOME'
