"""Optuna, in a virtual environment of its own: ~/.lambda-train/optuna/<hash of the versions>."""

import hashlib
import os
import re
import shutil
import subprocess
import sys

from base.document import takes
from base.files import BASE, own_folder, put
from base.locks import hold, release
from base.processes import quietly
from base.say import die

# With what Optuna needs for a journal. Left out: alembic and SQLAlchemy, which only databases need, and PyYAML, which only
# its command line needs.
NUMPY = "2.0.2" if sys.version_info < (3, 10) else "2.2.6" if sys.version_info < (3, 11) else "2.4.6"
PACKAGES = ("optuna==5.0.0", f"numpy=={NUMPY}", "colorlog==6.12.0", "packaging==26.3", "tqdm==4.70.1")
SECONDS = 600
HERE = os.path.join(BASE, "optuna")


@takes()
def prepare():
    """Makes it ahead, while other steps run."""
    python_with_optuna()


def place():
    """The environment's folder: another one for other versions."""
    told = f"{sys.version_info[:2]} {PACKAGES}"
    return os.path.join(HERE, hashlib.sha256(told.encode()).hexdigest()[:12])


def python_with_optuna():
    """The Python of the environment, which is made where it isn't there."""
    prefix = place()
    python = os.path.join(prefix, "bin/python")
    made = os.path.join(prefix, "made")
    if os.path.exists(made):
        return python
    if sys.version_info < (3, 9):
        die(
            1,
            f"A sweep needs Python 3.9 or later for Optuna; this instance has {sys.version.split()[0]}. Use a newer image.",
        )
    own_folder(HERE)
    lock = hold(f"{prefix}.lock")
    try:
        if not os.path.exists(made):
            make(prefix, python)
            put(made, "\n".join(PACKAGES))
    finally:
        release(lock)
    return python


def make(prefix, python):
    shutil.rmtree(prefix, ignore_errors=True)
    # Without pip of its own it needs no python3-venv package.
    answer(["venv", sys.executable, "-m", "venv", "--without-pip", prefix])
    answer(["packages", *installer(python, prefix), *PACKAGES])
    answer(["import", python, "-I", "-c", "import optuna"])


def installer(python, prefix):
    uv = shutil.which("uv", path=f"{os.environ.get('PATH', os.defpath)}{os.pathsep}{os.path.expanduser('~/.local/bin')}")
    if uv:
        return [uv, "pip", "install", "--quiet", "--no-deps", "--python", python]
    words = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--no-deps"]
    if quietly([sys.executable, "-m", "pip", "--version"], 60):
        # A pip before 22.3 installs for no other Python; into a folder each one does.
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        return [sys.executable, *words, "--target", os.path.join(prefix, "lib", version, "site-packages")]
    if not quietly([python, "-m", "ensurepip", "--default-pip"], 300):
        die(1, "There is neither uv nor pip to install Optuna with: sudo apt-get install python3-pip")
    return [python, *words]


def answer(words):
    """Runs a command that must end well; the first word says what for."""
    what, *command = words
    environment = {
        name: value for name, value in os.environ.items() if not re.match("PYTHON(HOME|PATH)$|VIRTUAL_ENV$", name)
    }
    try:
        ended = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment,
            timeout=SECONDS,
            check=False,
        )
        code, said = ended.returncode, ended.stdout.decode(errors="replace").strip()
    except (OSError, subprocess.TimeoutExpired) as error:
        code, said = 1, str(error)
    if code != 0:
        die(1, f"Optuna couldn't be installed on this instance ({what}): {said[-2000:]}")
