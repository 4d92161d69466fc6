"""Where conda and its environments are, and the shell lines that activate one."""

import glob
import os
import re
import shlex
import shutil
import subprocess

from base.architecture import own_architecture
from base.files import BASE, fact, put
from base.say import say
from base.shell import CONTAINER, PROGRAMS

ROOTS = (
    "~/miniforge3",
    "~/mambaforge",
    "~/miniconda3",
    "~/miniconda",
    "~/anaconda3",
    "~/conda",
    "~/micromamba",
    "~/.local/share/mamba",
    "/opt/conda",
    "/opt/miniforge3",
    "/opt/miniconda3",
    "/opt/miniconda",
    "/opt/anaconda3",
)
MICROMAMBA = os.path.join(PROGRAMS, "micromamba")
MICROMAMBA_ROOT = os.path.join(BASE, "micromamba")
# What a setup script calls `conda`, where micromamba is all there is.
CONDA = f"""#!/bin/bash
export MAMBA_ROOT_PREFIX="${{MAMBA_ROOT_PREFIX:-{MICROMAMBA_ROOT}}}" MAMBA_EXE={shlex.quote(MICROMAMBA)}
case "$*" in
  shell.bash*hook) "$MAMBA_EXE" shell hook --shell bash && echo 'conda() {{ micromamba "$@"; }}' ;;
  "info --base") echo "$MAMBA_ROOT_PREFIX" ;;
  *) exec "$MAMBA_EXE" "$@" ;;
esac
"""


def roots():
    """The folders into which conda is installed here."""
    named = [os.environ.get(name, "") for name in ("MAMBA_ROOT_PREFIX", "CONDA_ROOT")]
    by_program = [os.path.dirname(os.path.dirname(shutil.which(name) or "")) for name in ("conda", "mamba")]
    found = [os.path.expanduser(root) for root in (*named, *by_program, *ROOTS, MICROMAMBA_ROOT) if root]
    return [
        root for root in dict.fromkeys(found) if any(os.path.isdir(f"{root}/{each}") for each in ("envs", "conda-meta"))
    ]


def environments():
    """Paths of conda's environments, without those that it is installed into."""
    listed = fact(os.path.expanduser("~/.conda/environments.txt")).split("\n")
    found = [*listed, *glob.glob(os.path.expanduser("~/.conda/envs/*"))]
    bases = roots()
    for root in bases:
        found += sorted(glob.glob(f"{glob.escape(root)}/envs/*"))
    return [path for path in dict.fromkeys(found) if path and path not in bases and has_python(path)]


def has_python(path):
    programs = [os.path.join(path, "bin", name) for name in ("python", "python3")]
    # One that a container made may lead to the Python of its image.
    return any(os.access(each, os.X_OK) or (os.path.islink(each) and os.path.exists(CONTAINER)) for each in programs)


def is_conda(path):
    """Whether an environment is one of conda's: by what it holds, or by its place."""
    known = os.path.dirname(path) in [os.path.join(root, "envs") for root in roots()]
    return known or os.path.isdir(os.path.join(path, "conda-meta"))


def activation(path):
    """Shell lines that activate an environment, as `conda activate` does, and leave conda itself within reach."""
    named = os.path.basename(os.path.dirname(path)) == "envs"
    name = os.path.basename(path) if named else path
    quoted = shlex.quote(path)
    programs = "".join(f":{shlex.quote(folder)}" for folder in program_folders(path))
    return f"""export CONDA_PREFIX={quoted} CONDA_DEFAULT_ENV={shlex.quote(name)} PATH={quoted}/bin:"$PATH"{programs}
for script in {quoted}/etc/conda/activate.d/*.sh; do if [ -r "$script" ]; then . "$script"; fi; done"""


def program_folders(path):
    """Folders with `conda` itself but no Python beside it, for an environment's PATH."""
    return [f"{root}/condabin" for root in roots() if path.startswith(f"{root}/") and os.path.isdir(f"{root}/condabin")]


def find_program():
    """A program that makes environments, or None."""
    here = [*("micromamba", "mamba", "conda"), MICROMAMBA, *(f"{root}/bin/conda" for root in roots())]
    found = next(filter(None, map(shutil.which, here)), None)
    if found is not None and os.path.realpath(found) != os.path.realpath(MICROMAMBA):
        return found
    if found is None:
        say("No conda here; fetching micromamba.")
        if not fetch():
            return None
    offer()
    return MICROMAMBA


def find_program_for(script):
    """Sees that a setup script that calls conda without installing it finds one."""
    calls = re.search(r"(?m)^\s*(?:[\w=]+\s+)*(?:conda|mamba|micromamba)\s", script)
    if calls and not re.search(r"Mini(?:conda3|forge3)-|Mambaforge-|Anaconda3-|micro\.mamba\.pm", script):
        find_program()


def fetch():
    build = "aarch64" if own_architecture() == "aarch64" else "64"
    url = f"https://micro.mamba.pm/api/micromamba/linux-{build}/latest"
    os.makedirs(PROGRAMS, exist_ok=True)
    with subprocess.Popen(
        ["curl", "-fsSL", "--connect-timeout", "10", "--max-time", "300", url], stdout=subprocess.PIPE
    ) as curl:
        unpacked = subprocess.run(["tar", "-xj", "-C", BASE, "bin/micromamba"], stdin=curl.stdout, check=False)
    return unpacked.returncode == 0 and curl.returncode == 0


def offer():
    """Lets setup scripts call micromamba by the name that they know."""
    conda = os.path.join(PROGRAMS, "conda")
    if shutil.which("conda") in (None, conda):
        put(conda, CONDA)
        os.chmod(conda, 0o755)
        profile = os.path.join(MICROMAMBA_ROOT, "etc/profile.d")
        os.makedirs(profile, exist_ok=True)
        put(os.path.join(profile, "conda.sh"), f'eval "$({shlex.quote(conda)} shell.bash hook)"\n')
