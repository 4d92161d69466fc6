"""What setup added to PATH for those who log in."""

import os
import shlex
import subprocess

from base.shell import search_path

MARK = "lambda-train-path:"
SECONDS = 10


def login_lines():
    """
    Shell lines that add the folders that a login shell has on PATH and this process has not, as `~/.bashrc` and `~/.profile`
    have them since setup: those below the home folder first, others last.
    """
    home = os.path.join(os.path.expanduser("~"), "")
    here = search_path().split(os.pathsep)
    added = [folder for folder in path_of_login() if folder not in here]
    first = "".join(f"{shlex.quote(folder)}:" for folder in added if folder.startswith(home))
    last = "".join(f":{shlex.quote(folder)}" for folder in added if not folder.startswith(home))
    return f'export PATH={first}"$PATH"{last}' if first or last else ""


def path_of_login():
    """Of an interactive one: what comes after Ubuntu's first lines of ~/.bashrc is for these alone."""
    try:
        said = subprocess.run(
            ["timeout", "--kill-after=1", str(SECONDS), "bash", "-lic", f'printf "\\n{MARK}%s\\n" "$PATH"'],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            # A session of its own: an interactive shell takes the terminal of the one that it is in.
            start_new_session=True,
            check=False,
        ).stdout.decode(errors="surrogateescape")
    except OSError:
        return []
    found = [line[len(MARK) :] for line in said.split("\n") if line.startswith(MARK)]
    return [folder for folder in dict.fromkeys(found[-1].split(os.pathsep)) if os.path.isabs(folder)] if found else []
