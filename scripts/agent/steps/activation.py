"""What a command that activates an environment changes, as shell lines: no shell of the workload's is interactive."""

import os
import re
import shlex
import shutil
import subprocess
import tempfile

from base.say import die, say
from base.shell import CONTAINER, environment_with, with_environment
from steps import conda

FAILED = 3
SECONDS = 120
# A shell's own.
PASSING = re.compile(r"_|SHLVL|PWD|OLDPWD|PS1|BASH_.*|LAMBDA_TRAIN_.*|.*[^A-Za-z0-9_].*")
SCRIPT = """
env -0 >"$1/before"
eval "$2"
status=$?
env -0 >"$1/after"
exit $status
"""


def activated(command, workspace):
    """Shell lines that do what the command does in the workspace; ends the verb where it fails."""
    say(f"Activating: {command}")
    with tempfile.TemporaryDirectory() as folder:
        words = [
            "timeout",
            "--kill-after=5",
            str(SECONDS),
            "bash",
            "-c",
            hooks(command) + SCRIPT,
            "activate",
            folder,
            command,
        ]
        code = subprocess.run(
            with_environment(words), stdin=subprocess.DEVNULL, cwd=workspace, env=environment_with(), check=False
        ).returncode
        if code != 0:
            die(
                FAILED,
                f"environment.activate ended with status {code}: {command}. Its reason stands above, if it gave one.",
            )
        before, after = (variables(os.path.join(folder, name)) for name in ("before", "after"))
    return "\n".join([*changes(before, after), *(f"unset {name}" for name in sorted({*before} - {*after}))])


def hooks(command):
    """Shell lines that make `conda activate` work: by the conda that has such an environment, or the first one."""
    if not re.search(r"\b(conda|mamba|micromamba)\b|\bsource\s+activate\b", command):
        return ""
    if os.path.exists(CONTAINER):
        # That of its image.
        return 'if command -v conda >/dev/null; then eval "$(conda shell.bash hook)"; fi\n'
    words = command.split()
    bases = sorted(conda.roots(), key=lambda root: not any(os.path.isdir(f"{root}/envs/{word}") for word in words))
    scripts = [f"{root}/etc/profile.d/{name}.sh" for root in bases[:1] for name in ("conda", "mamba")]
    lines = [f". {shlex.quote(script)}" for script in scripts if os.path.isfile(script)]
    if not lines and bases and os.path.isfile(f"{bases[0]}/bin/activate"):
        lines.append(f'PATH={shlex.quote(bases[0])}/bin:"$PATH"; eval "$(conda shell.bash hook)"')
    micromamba = next(
        filter(None, map(shutil.which, ("micromamba", os.path.expanduser("~/.local/bin/micromamba"), conda.MICROMAMBA))),
        None,
    )
    if micromamba is not None and re.search(r"\bmicromamba\b", command):
        lines.append(f'eval "$({shlex.quote(micromamba)} shell hook --shell bash)"')
    return "".join(f"{line}\n" for line in lines)


def variables(file):
    with open(file, encoding="utf-8", errors="surrogateescape") as content:
        pairs = (entry.partition("=") for entry in content.read().split("\0") if entry)
        return {name: value for name, _, value in pairs if not PASSING.fullmatch(name)}


def changes(before, after):
    """What is added to a list of folders is added again, whatever else the list then holds."""
    for name, value in after.items():
        old = before.get(name)
        if value == old:
            continue
        if old and value.endswith(f":{old}"):
            yield f'export {name}={shlex.quote(value[: -len(old)])}"${name}"'
        else:
            yield f"export {name}={shlex.quote(value)}"
