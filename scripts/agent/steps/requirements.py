"""What a requirements file or a Python project asks for, and whether this Python already has all of it."""

import configparser
import importlib.metadata
import json
import os
import platform
import re

from pip._vendor.packaging.requirements import Requirement
from pip._vendor.packaging.specifiers import SpecifierSet

from base.document import takes

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib

# Something that this Python can't be compared with: the installer decides.
UNTOLD = "@"


class Asked:
    """`names`: requirements. `python`: versions of Python. `poetry`: only poetry can install it."""

    def __init__(self, names=(), python="", poetry=False, asks=True):
        self.names, self.python, self.poetry, self.asks = list(names), python, poetry, asks


def asked_for(path):
    name = os.path.basename(path)
    if name.endswith(".toml"):
        return asked_by_project(path)
    if name in ("setup.py", "setup.cfg"):
        settings = configparser.ConfigParser(interpolation=None)
        settings.read(os.path.join(os.path.dirname(path), "setup.cfg"))
        told = settings.has_section("metadata") or settings.has_section("options") or name == "setup.py"
        return Asked([UNTOLD], settings.get("options", "python_requires", fallback=""), asks=told)
    if name == "Pipfile":
        return Asked([UNTOLD])
    with open(path, encoding="utf-8") as file:
        lines = (line.split(" #")[0].strip() for line in file)
        return Asked(line for line in lines if line and not line.startswith("#"))


def asked_by_project(path):
    with open(path, "rb") as file:
        content = tomllib.load(file)
    folder = os.path.dirname(path) or "."
    project, poetry = content.get("project"), content.get("tool", {}).get("poetry")
    if poetry is not None and (project is None or poetry.get("package-mode") is False):
        return Asked([UNTOLD], python_of(poetry.get("dependencies", {}).get("python", "")), poetry=True)
    if project is None:
        # Without these it only holds settings of tools.
        if "build-system" in content and any(
            os.path.isfile(os.path.join(folder, each)) for each in ("setup.py", "setup.cfg")
        ):
            return Asked([UNTOLD])
        return Asked(asks=False)
    names = list(project.get("dependencies", []))
    if {"dependencies", "name"} & set(project.get("dynamic", [])):
        names.append(UNTOLD)
    elif "name" in project and must_be_installed(project, folder):
        names.append(project["name"])
    return Asked(names, project.get("requires-python", ""))


def must_be_installed(project, folder):
    """A package under src/ is importable, and a command is there, only once the project is installed."""
    declares = {"scripts", "gui-scripts", "entry-points"}
    return bool(declares & ({*project} | {*project.get("dynamic", [])})) or os.path.isdir(os.path.join(folder, "src"))


def python_of(constraint):
    """Poetry's form of a version, in the common one; empty where it has no counterpart here."""
    found = re.fullmatch(r"\^(\d+)\.(\d+)(?:\.\d+)?", constraint) if isinstance(constraint, str) else None
    if found:
        return f">={found.group(1)}.{found.group(2)},<{int(found.group(1)) + 1}"
    return constraint if isinstance(constraint, str) and constraint[:1] in "<>=!" else ""


def project_beside(path):
    """Whether the project in the folder of a requirements file has to be installed as well."""
    project = os.path.join(os.path.dirname(path), "pyproject.toml")
    if not path.endswith(".txt") or not os.path.isfile(project):
        return False
    try:
        with open(project, "rb") as file:
            content = tomllib.load(file).get("project", {})
        return "name" in content and must_be_installed(content, os.path.dirname(path) or ".") and absent(content["name"])
    except Exception:
        return False


def missing(text):
    requirement = Requirement(text)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return False
    if requirement.url is not None or requirement.extras:
        return True
    version = importlib.metadata.version(requirement.name)
    return not requirement.specifier.contains(version, prereleases=True)


def absent(text):
    """Anything that isn't understood (a URL, an option, an extra) counts as missing."""
    try:
        return missing(text)
    except Exception:
        return True


def unmet(path, python):
    """In words, why this Python is not one that is asked for; empty where it is, or can't be compared."""
    version = platform.python_version()
    try:
        right = not python or SpecifierSet(python).contains(version, prereleases=True)
    except Exception:
        right = True
    return "" if right else f"{path} asks for Python {python}; the instance's is {version}"


@takes(file=str)
def check(file):
    """
    Prints one object: `asks`, whether it asks for anything at all; `missing`, the first thing that is missing; `python`, why
    this Python is not the right one; `poetry`, whether only poetry can install it; `project`, whether the project beside it
    has to be installed as well.
    """
    asked = asked_for(file)
    project = project_beside(file)
    lacking = next(filter(absent, asked.names), "")
    print(
        json.dumps(
            {
                "asks": asked.asks,
                "missing": f"what {file} names"
                if lacking == UNTOLD
                else lacking or ("the project itself" if project else ""),
                "python": unmet(file, asked.python),
                "poetry": asked.poetry,
                "project": project,
            }
        )
    )
