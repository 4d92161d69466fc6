"""
The environment that is made of a workload's files: by conda, by uv, or as a virtual environment over the system's packages.
"""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess

from base.checksum import sha256_of
from base.files import fact, put, unlink_if_there
from base.processes import own_command
from base.say import die, say
from steps import conda, uv
from steps.installing import NOT_MADE, installer, make_plain_venv, run, tool

# Each list best first. What is for another machine than a GPU instance comes last, or not at all.
CONDA_FILES = (
    "environment*lambda*",
    "environment*cuda*",
    "environment*gpu*",
    "environment*linux*",
    "environment",
    "environment*",
)
VENV_FILES = (
    "requirements*lambda*.txt",
    "requirements.txt",
    "requirements*cuda*.txt",
    "requirements*gpu*.txt",
    "requirements*linux*.txt",
    "requirements*train*.txt",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "Pipfile",
    "requirements*.txt",
)
ELSEWHERE = re.compile(
    r"(?i)(^|[^a-z])(mac(os)?|osx|darwin|arm64|m[1-4]|mps|win(dows)?|cpu|rocm|dev(el)?|tests?|docs?|lint|ci)([^a-z]|$)"
)


def conda_files():
    found = by_rank([f"{pattern}.{end}" for pattern in CONDA_FILES for end in ("yml", "yaml")])
    return [name for name in found if not ELSEWHERE.search(name)] + [name for name in found if ELSEWHERE.search(name)]


def venv_files():
    return [name for name in by_rank(VENV_FILES) if not ELSEWHERE.search(name)]


def by_rank(patterns):
    """The files in the workspace that match, best first."""
    found = (name for pattern in patterns for name in sorted(glob.glob(pattern)) if os.path.isfile(name))
    return list(dict.fromkeys(found))


class Environment:
    """
    `manager` and `file`: what was asked for, and in the end what was taken. `uv`: names of extras and groups that it installs.
    """

    def __init__(self, place, manager, file, uv=None):
        self.place, self.manager, self.file, self.uv = place, manager, file, uv or {}
        self.conda, self.asked = None, {}
        self.found = False
        # Whether it lies in `place` for all machines, where some lie in the workspace.
        self.is_shared = False

    def names(self):
        """What the workload's environment files call their environments."""
        files = [self.file] if self.file else conda_files()
        texts = [fact(file) for file in files if file.endswith((".yml", ".yaml"))]
        return [found.group(1) for text in texts for found in re.finditer(r"(?m)^name:\s*[\"']?([\w.-]+)", text)]

    def make(self, workspace):
        """Gives the shell lines that activate it."""
        self.decide(workspace)
        return self.build()

    def decide(self, workspace):
        """Chooses manager and file, and what makes the environment."""
        if self.manager == "auto":
            self.choose()
        elif self.manager == "conda":
            self.file = self.file or next(iter(conda_files()), "")
            if not self.file:
                die(NOT_MADE, f"No environment*.yml in {workspace}; name it in environment.file.")
            self.conda = conda.find_program()
            if self.conda is None:
                die(
                    NOT_MADE,
                    "environment.manager is conda, but neither conda nor micromamba is here and micromamba could not be "
                    "fetched.",
                )
        elif self.manager == "venv":
            self.file = self.file or next((file for file in venv_files() if asked_by(file)["asks"]), "")
            if not self.file:
                die(NOT_MADE, f"No requirements.txt or pyproject.toml in {workspace}; name it in environment.file.")
        elif self.manager == "uv":
            self.file = self.file or uv.LOCK
            if not uv.is_project(self.file):
                die(
                    NOT_MADE,
                    f"{self.file} and its pyproject.toml are not in {workspace}: run `uv lock` there, and commit both.",
                )
        if self.manager != "none" and not os.path.isfile(self.file):
            die(NOT_MADE, f"There is no {self.file} in {workspace}; check environment.file.")

    def build(self):
        """Makes what was chosen. Gives the shell lines that activate it."""
        if self.manager == "none":
            return ""
        if self.manager == "conda":
            self.make_conda()
        elif self.manager == "uv":
            pythons = os.path.join(self.place, "python") if self.is_shared else None
            uv.sync(uv.find_program(uv.project_of(self.file)), self.file, self.prefix(), self.uv, pythons)
        else:
            self.make_venv()
        return self.activation()

    def activation(self):
        """The shell lines that activate it, where it is made."""
        if self.manager == "conda":
            programs = os.path.dirname(self.conda)
            return conda.activation(self.prefix()) + f'\nexport PATH="$PATH":{shlex.quote(programs)}'
        if self.manager == "uv":
            return uv.activation(self.prefix())
        return f"export VIRTUAL_ENV='{self.prefix()}' PATH='{self.prefix()}/bin':\"$PATH\""

    def prefix(self):
        # Where `uv run` looks for it.
        if self.manager == "uv" and not self.is_shared:
            return os.path.realpath(os.path.join(uv.project_of(self.file), ".venv"))
        return os.path.join(self.place, self.manager)

    def choose(self):
        """What `auto` means here."""
        found = self.file or next(iter(conda_files()), "")
        if found.endswith((".yml", ".yaml")):
            self.conda = conda.find_program()
            if self.conda is not None:
                self.file, self.manager = found, "conda"
                return
            say(
                f"WARNING: {found} asks for conda, which is not here and could not be fetched. Going on without it; set "
                "environment.manager to conda to make this an error."
            )
        named = self.file and not self.file.endswith((".yml", ".yaml"))
        if uv.is_project(self.file if named else uv.LOCK) and (not named or os.path.basename(self.file) == uv.LOCK):
            self.file, self.manager = self.file if named else uv.LOCK, "uv"
            return
        files = [self.file] if named else venv_files()
        self.file, self.manager = "", "none"
        for file in files:
            self.asked = asked_by(file)
            if not self.asked["asks"]:
                continue
            if self.asked["missing"]:
                self.file, self.manager, self.found = file, "venv", not named
            else:
                say(f"The system's Python already has what {file} asks for")
            return

    def make_conda(self):
        prefix, made = self.prefix(), os.path.join(self.place, "conda.made")
        inputs = sha256_of(self.file)
        if not fact(made).startswith(inputs) or not os.path.isdir(prefix):
            say(f"Making the conda environment of {self.file} with {self.conda}")
            shutil.rmtree(prefix, ignore_errors=True)
            unlink_if_there(made)
            os.makedirs(self.place, exist_ok=True)
            if os.path.basename(self.conda) == "micromamba":
                root = os.path.join(self.place, "mamba-root")
                right = run(self.conda, "create", "-y", "-r", root, "-p", prefix, "-f", self.file)
            else:
                right = run(self.conda, "env", "create", "-y", "-p", prefix, "-f", self.file) or run(
                    self.conda, "env", "create", "-p", prefix, "-f", self.file
                )
            if not right:
                die(NOT_MADE, f"The conda environment of {self.file} could not be made; the reason stands above.")
            put(made, inputs)

    def make_venv(self):
        """A venv over the system's packages: the torch that came with the machine (and fits its driver) stays in use."""
        asked = self.asked = self.asked or asked_by(self.file)
        if asked["python"]:
            die(
                NOT_MADE,
                f"{asked['python']}. Install another Python in the setup script and make an environment of it there "
                "(`uv venv --python …`), or add an environment.yml that names it.",
            )
        prefix = self.prefix()
        python = make_plain_venv(prefix)
        say(f"Installing what {self.file} asks for")
        folder = os.path.dirname(self.file) or "."
        name = os.path.basename(self.file)
        if name == "Pipfile":
            verb = "sync" if os.path.isfile(f"{self.file}.lock") else "install"
            right = self.by_tool("pipenv", prefix, folder, verb)
        elif asked["poetry"]:
            right = self.by_tool("poetry", prefix, folder, "install", "--no-interaction", "--only", "main")
        elif name.endswith(".txt"):
            right = run(*installer(python, self.file), "-r", self.file)
        elif name.endswith(".toml"):
            right = run(*installer(python, self.file), "-e", folder)
        else:
            # Such a script may import the torch that is here; in isolation it would not see it.
            right = run(*installer(python, self.file), "--no-build-isolation", "-e", folder) or run(
                *installer(python, self.file), "-e", folder
            )
            if not right and self.found:
                say(f"WARNING: {self.file} could not be installed; the reason stands above. Training goes on without it.")
                right = True
        if not right:
            die(NOT_MADE, f"The packages of {self.file} could not be installed; the reason stands above.")
        if asked["project"] and not run(*installer(python, "the project"), "--no-deps", "-e", folder):
            say(f"WARNING: the project itself could not be installed beside {self.file}; the reason stands above.")

    def by_tool(self, name, prefix, folder, *words):
        """Installs into a virtual environment by a tool that takes the one that is active."""
        program = shutil.which(name) or tool(os.path.join(self.place, "tools", name), name, name, self.file)
        path = f"{prefix}/bin{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        return run(program, *words, cwd=folder, env={**os.environ, "VIRTUAL_ENV": prefix, "PATH": path})


def asked_by(file):
    """What `requirements.py` tells of a file."""
    # By this Python with its packages, which this program does without.
    python, _, *rest = own_command("requirements", file=file)
    told = subprocess.run([python, *rest], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=False)
    try:
        answer = json.loads(told.stdout.decode().strip().split("\n")[-1])
    except ValueError:
        # The installer decides.
        answer = {"asks": True, "missing": file, "python": "", "poetry": False, "project": False}
    if answer["missing"]:
        say(f"missing: {answer['missing']}")
    elif answer["python"]:
        say(f"WARNING: {answer['python']}. Its packages are here all the same.")
    return answer
