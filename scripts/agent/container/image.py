"""The workload's image: brought here, and what its containers need to know."""

import os
import pwd
import shlex
import subprocess
import tempfile

from base.files import BASE, own_folder, put, write_json
from base.say import die, say
from base.shell import CONTAINER
from container.client import client
from container.docker import FAILED, find_docker, reason_in, reason_of, said_by
from steps.activation import changes, variables

FOLDER = os.path.join(BASE, "container")
ACCOUNTS = 'cat /etc/passwd; printf "\\0"; cat /etc/group'
SECONDS = 120


def prepare(image):
    """From here on all of the workload's commands run in it. Gives shell lines for each of them."""
    docker = find_docker()
    say(f"Pulling {image}")
    pulled = subprocess.run([docker, "pull", image], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    # A tag that moves must not change what runs.
    told = said_by([docker, "image", "inspect", "--format", "{{.Id}}", image], SECONDS)
    is_here = told is not None and told.returncode == 0
    if pulled.returncode != 0:
        failed = f"docker pull {image} failed: {reason_in(pulled.stderr.decode('utf-8', 'replace'))}"
        if not is_here:
            die(
                FAILED,
                f"{failed}. Check environment.image. For a private registry, log in on the instance once: npm run ssh, then "
                "docker login.",
            )
        say(f"WARNING: {failed}. The image that is on the instance is used.")
    if not is_here:
        die(FAILED, f"docker image inspect {image} failed: {reason_of(told)}.")
    identity = told.stdout.decode().strip()
    user = own_user(docker)
    note_accounts(docker, identity, user)
    settings = {"docker": docker, "image": identity, "named": image, "user": user, "accounts": FOLDER}
    write_json(CONTAINER, settings)
    say(f"Environment: the image {image} ({identity[:19]})")
    return within(shell_lines(settings))


def own_user(docker):
    """As whom a container runs, so that files belong to this user outside: root of a Docker without root is this user."""
    told = said_by([docker, "info", "--format", "{{.SecurityOptions}}"], SECONDS)
    is_rootless = told is not None and b"rootless" in told.stdout
    return "0:0" if is_rootless else f"{os.getuid()}:{os.getgid()}"


def note_accounts(docker, image, user):
    """The image's accounts, with this user first."""
    words = ["run", "--rm", "--network", "none", "--entrypoint", "sh", image, "-c", ACCOUNTS]
    told = said_by([docker, *words], SECONDS)
    if told is None or told.returncode != 0:
        die(FAILED, f"The image {image} can't be run: {reason_of(told)}.")
    users, _, groups = told.stdout.decode("utf-8", "surrogateescape").partition("\0")
    uid, gid = user.split(":")
    name = pwd.getpwuid(os.getuid()).pw_name
    own_folder(FOLDER)
    own = {"passwd": f"{name}:x:{uid}:{gid}::{os.path.expanduser('~')}:/bin/bash", "group": f"{name}:x:{gid}:"}
    for kind, text in (("passwd", users), ("group", groups)):
        put(os.path.join(FOLDER, kind), f"{own[kind]}\n{text.strip()}\n")


def shell_lines(settings):
    """What its entrypoint sets, which each command does without, and a place for what pip installs."""
    place = os.path.join(FOLDER, "user", settings["image"].split(":")[-1][:12])
    own = f'export PYTHONUSERBASE={shlex.quote(place)} PATH={shlex.quote(place)}/bin:"$PATH"'
    told = said_by(
        [settings["docker"], "image", "inspect", "--format", "{{json .Config.Entrypoint}}", settings["image"]], SECONDS
    )
    if told is None or told.stdout.strip() in (b"null", b"[]", b""):
        return own
    return "\n".join([*of_entrypoint(settings), own])


def of_entrypoint(settings):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        for name in ("before", "after"):
            words, environment = client(settings, ["bash", "-c", 'env -0 >"$1"', "agent", os.path.join(folder, name)])
            if name == "after":
                # The image's own entrypoint, with the same words.
                at = words.index("--entrypoint")
                words = [*words[:at], words[at + 2], words[at + 1], *words[at + 3 :]]
            ended = said_by(words, SECONDS, environment)
            if ended is None or ended.returncode != 0 or not os.path.isfile(os.path.join(folder, name)):
                if name == "before":
                    die(FAILED, f"The image can't run bash, which commands need: {reason_of(ended)}.")
                say(f"The image's entrypoint runs no command ({reason_of(ended)}); commands do without it.")
                return []
        before, after = (variables(os.path.join(folder, name)) for name in ("before", "after"))
    return list(changes(before, after))


def within(lines):
    """Lines for the container alone: a login on the machine reads the same file."""
    return f'if [ -n "${{LAMBDA_TRAIN_CONTAINED:-}}" ]; then\n{lines}\nfi' if lines else ""
