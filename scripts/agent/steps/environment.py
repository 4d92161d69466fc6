"""The environment of a workload, and its own setup command."""

import glob
import json
import os
import shutil
import subprocess

from base.architecture import own_architecture
from base.checksum import sha256_of
from base.document import takes
from base.files import BASE, fact, put, under_home, unlink_if_there
from base.processes import own_command, quietly
from base.say import die, say
from base.shell import ENVIRONMENT, environment_with, export_lines, strict, with_environment
from steps.step import Step

# `manager`: auto, conda, venv or none. `file`: environment or requirements file relative to the workspace; empty: found.
# `setup`: the workload's setup command; empty: none. `answer`: to every question that it asks; empty: its standard input is
# closed. `variables` hold for every later step.
SETUP = {
    "workspace": str,
    "workload": str,
    "manager": str,
    "file": str,
    "setup": str,
    "answer": str,
    "variables": {str: str},
}
MANAGERS = ("auto", "conda", "venv", "none")
CONDA_FILES = (
    "environment.yml",
    "environment.yaml",
    "environment*lambda*.y*ml",
    "environment*gpu*.y*ml",
    "environment*cuda*.y*ml",
    "environment*.y*ml",
)
VENV_FILES = ("requirements.txt", "pyproject.toml")
CONDAS = (
    "micromamba",
    "mamba",
    "conda",
    f"{BASE}/bin/micromamba",
    "~/miniforge3/bin/conda",
    "~/miniconda3/bin/conda",
    "~/anaconda3/bin/conda",
    "/opt/conda/bin/conda",
)
SIGPIPE = 141


@takes(hash=str, seconds=int, setup=SETUP)
def setup(hash, seconds, setup):
    Step("setup").run(hash, seconds, "setup-now", json.dumps(setup), [ENVIRONMENT])


@takes(**SETUP)
def setup_now(workspace, workload, manager, file, setup, answer, variables):
    """
    Writes ~/.lambda-train/env.sh, which later steps source. Exit codes: 3 the environment could not be made, otherwise the
    setup command's own.
    """
    folder = under_home(workspace)
    if not os.path.isdir(folder):
        die(3, f"The workspace {folder} is not there: the code was not uploaded.")
    if manager not in MANAGERS:
        die(2, f"environment.manager must be auto, conda, venv or none, not {manager}.")
    os.chdir(folder)
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    made = Environment(os.path.join(BASE, "envs", workload), manager, file)
    activation = made.make(folder)
    put(
        ENVIRONMENT,
        f"""# Made by setup; sourced before every command of the workload.
export PYTHONUNBUFFERED=1
{activation}
{export_lines(variables)}
if [ -z "${{WANDB_MODE:-}}" ] && [ -z "${{WANDB_API_KEY:-}}" ] && ! grep -qs api.wandb.ai ~/.netrc; then export WANDB_MODE=offline; fi
""",
    )
    say(f"Environment: {made.manager}{f' ({made.file})' if made.file else ''}")
    if setup:
        run_setup(setup, answer)
    say("The environment is ready")


def run_setup(setup, answer):
    say(f"Running: {setup}")
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
        hint = "" if answer else " (had it asked something: environment.answer is empty, so its input was closed)"
        die(code, f"The setup command ended with status {code}: {setup}{hint}")


def first_of(patterns):
    """The first file in the workspace that matches, or an empty word."""
    return next((each for pattern in patterns for each in sorted(glob.glob(pattern)) if os.path.isfile(each)), "")


def find_conda():
    """A program that makes environments, or None."""
    for candidate in CONDAS:
        found = shutil.which(os.path.expanduser(candidate))
        if found:
            return found
    say("No conda here; fetching micromamba.")
    build = "aarch64" if own_architecture() == "aarch64" else "64"
    url = f"https://micro.mamba.pm/api/micromamba/linux-{build}/latest"
    os.makedirs(os.path.join(BASE, "bin"), exist_ok=True)
    with subprocess.Popen(
        ["curl", "-fsSL", "--connect-timeout", "10", "--max-time", "300", url], stdout=subprocess.PIPE
    ) as curl:
        unpacked = subprocess.run(["tar", "-xj", "-C", BASE, "bin/micromamba"], stdin=curl.stdout, check=False)
    return os.path.join(BASE, "bin/micromamba") if unpacked.returncode == 0 and curl.returncode == 0 else None


def run(*command):
    return subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode == 0


class Environment:
    """`manager` and `file`: what was asked for, and in the end what was taken."""

    def __init__(self, place, manager, file):
        self.place, self.manager, self.file = place, manager, file
        self.conda = None

    def make(self, workspace):
        """Gives the shell lines that activate it."""
        if self.manager == "auto":
            self.choose()
        elif self.manager == "conda":
            self.file = self.file or first_of(CONDA_FILES)
            if not self.file:
                die(3, f"No environment*.yml in {workspace}; name it in environment.file.")
            self.conda = find_conda()
            if self.conda is None:
                die(
                    3,
                    "environment.manager is conda, but neither conda nor micromamba is here and micromamba could not be "
                    "fetched.",
                )
        elif self.manager == "venv":
            self.file = self.file or first_of(VENV_FILES)
            if not self.file:
                die(3, f"No requirements.txt or pyproject.toml in {workspace}; name it in environment.file.")
        if self.manager == "none":
            return ""
        if not os.path.isfile(self.file):
            die(3, f"There is no {self.file} in {workspace}; check environment.file.")
        return self.make_conda() if self.manager == "conda" else self.make_venv()

    def choose(self):
        """What `auto` means here."""
        found = self.file or first_of(CONDA_FILES)
        if found.endswith((".yml", ".yaml")):
            self.conda = find_conda()
            if self.conda is not None:
                self.file, self.manager = found, "conda"
                return
            say(
                f"WARNING: {found} asks for conda, which is not here and could not be fetched. Going on without it; set "
                "environment.manager to conda to make this an error."
            )
        found = self.file
        if not found or found.endswith((".yml", ".yaml")):
            found = first_of(VENV_FILES)
        self.file, self.manager = "", "none"
        if not found:
            return
        # By this Python with its packages, which this program does without.
        python, _, *rest = own_command("requirements", file=found)
        if run(python, *rest):
            say(f"The system's Python already has what {found} asks for")
        else:
            self.file, self.manager = found, "venv"

    def make_conda(self):
        prefix, made = os.path.join(self.place, "conda"), os.path.join(self.place, "conda.made")
        inputs = sha256_of(self.file)
        if not fact(made).startswith(inputs) or not os.path.isdir(prefix):
            say(f"Making the conda environment of {self.file} with {self.conda}")
            shutil.rmtree(prefix, ignore_errors=True)
            unlink_if_there(made)
            os.makedirs(self.place, exist_ok=True)
            if os.path.basename(self.conda) == "micromamba":
                right = run(
                    self.conda, "create", "-y", "-r", os.path.join(self.place, "mamba-root"), "-p", prefix, "-f", self.file
                )
            else:
                right = run(self.conda, "env", "create", "-y", "-p", prefix, "-f", self.file) or run(
                    self.conda, "env", "create", "-p", prefix, "-f", self.file
                )
            if not right:
                die(3, f"The conda environment of {self.file} could not be made; the reason stands above.")
            put(made, inputs)
        return f"""export CONDA_PREFIX='{prefix}' CONDA_DEFAULT_ENV='{prefix}' PATH='{prefix}/bin':"$PATH"
for script in '{prefix}'/etc/conda/activate.d/*.sh; do if [ -r "$script" ]; then . "$script"; fi; done"""

    def make_venv(self):
        """A venv over the system's packages: the torch that came with the machine (and fits its driver) stays in use."""
        prefix = os.path.join(self.place, "venv")
        python = os.path.join(prefix, "bin/python")
        if not os.access(python, os.X_OK):
            say("Making a virtual environment over the system's Python")
            # Without pip of its own it needs no python3-venv package; the system's pip is seen in it.
            if not run("python3", "-m", "venv", "--system-site-packages", "--without-pip", prefix):
                die(3, "python3 cannot make a virtual environment: sudo apt-get install python3-venv")
        installer = [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
        if not quietly([python, "-m", "pip", "--version"], 60):
            if shutil.which("uv"):
                installer = ["uv", "pip", "install", "--python", python]
            elif not quietly([python, "-m", "ensurepip", "--default-pip"], 300):
                die(3, f"There is neither pip nor uv to install {self.file} with: sudo apt-get install python3-pip")
        say(f"Installing what {self.file} asks for")
        folder = os.path.dirname(self.file) or "."
        if not run(*installer, *(["-e", folder] if self.file.endswith(".toml") else ["-r", self.file])):
            die(3, f"The packages of {self.file} could not be installed; the reason stands above.")
        return f"export VIRTUAL_ENV='{prefix}' PATH='{prefix}/bin':\"$PATH\""
