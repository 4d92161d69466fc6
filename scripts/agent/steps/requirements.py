"""Whether this Python already has everything that a requirements.txt or pyproject.toml asks for."""

import importlib.metadata
import os
import sys

from pip._vendor.packaging.requirements import Requirement

from base.document import takes

try:
    import tomllib
except ImportError:
    from pip._vendor import tomli as tomllib


def asked_for(path):
    if path.endswith(".toml"):
        with open(path, "rb") as file:
            project = tomllib.load(file).get("project", {})
        names = list(project.get("dependencies", []))
        # A package under src/ is importable only once it is installed.
        if "name" in project and os.path.isdir(os.path.join(os.path.dirname(path) or ".", "src")):
            names.append(project["name"])
        return names
    with open(path, encoding="utf-8") as file:
        lines = (line.split(" #")[0].strip() for line in file)
        return [line for line in lines if line and not line.startswith("#")]


def missing(text):
    requirement = Requirement(text)
    if requirement.marker is not None and not requirement.marker.evaluate():
        return False
    if requirement.url is not None or requirement.extras:
        return True
    version = importlib.metadata.version(requirement.name)
    return not requirement.specifier.contains(version, prereleases=True)


@takes(file=str)
def check(file):
    """
    Exit codes: 0 all there, 1 something is missing (or cannot be told). Anything it does not understand (a URL, an option,
    an extra) counts as missing: then the installer decides.
    """
    for text in asked_for(file):
        try:
            absent = missing(text)
        except Exception:
            absent = True
        if absent:
            print(f"missing: {text}")
            sys.exit(1)
