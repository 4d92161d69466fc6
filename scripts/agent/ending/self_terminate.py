"""Ends this instance by itself, with an API key that the user has given it for that.

When nothing of the stack has worked here for a while, and the results of every run are at home or on the file system,
checked, the instance is terminated. While results are nowhere else it waits, unless it was told to lose them.
"""

import json
import os
import shlex
import subprocess
import time

from base.document import Maybe, takes
from base.files import BASE, fact, own_folder, put, read_json, unlink_if_there, write_json
from base.locks import lock
from base.processes import environment_of, is_alive, key_of, name_of, own_command, pid_in, pids, start_detached, words_of
from base.say import die
from ending.cloud import Abandoned, ApiError, Cloud
from machine.notebook_use import notebook_works
from results.elsewhere import Look
from results.in_bucket import try_keep
from results.safety import Unsafe, is_fetched, keep
from run.scope import members
from run.secrets import forget_unless_needed
from run.session import take_up
from run.standing import is_unsupervised
from run.state import Run, runs

HOME = os.path.join(BASE, "self-terminate")
SETTINGS = os.path.join(HOME, "settings.json")
KEY = os.path.join(HOME, "key")
STATUS = os.path.join(HOME, "status.json")
PROCESS = os.path.join(HOME, "process")
ACTIVE = os.path.join(HOME, "active")

# Verbs that work. Those that only look (serve, status, dashboard) keep no instance alive.
WORKING = """
archive-append archive-size aside-keep bucket-keep bucket-keep-now bucket-snapshots bucket-trials evaluate evaluate-now extract extract-now launch list
send setup setup-now start step-now stop supervise trial-put-back upload-apply upload-check upload-plan upload-same upload-take verify
""".split()
# Scripts of an earlier release that may still see a run to its end.
EARLY = {"supervise.sh", "launch.py", "evaluate.sh"}
# What a login's shell has started works, unless it is a shell again, or keeps shells.
SHELLS = {"sh", "bash", "dash", "zsh", "fish", "tmux: server", "tmux: client", "screen", "ssh-agent", "gpg-agent"}
# An `up` that is on its way to its first run may do nothing here for a while.
BEFORE_FIRST_RUN = 900
LONGEST_PAUSE = 60
REFUSED_PAUSE = 300
# The longest that a watch takes to start.
STARTING = 30


def works():
    """What of the stack works here, or None."""
    experiments = [os.fsencode(run.experiment) for run in runs()]
    scopes = {pid for run in runs() for pid in members(run.newest().get("scope"))}
    marks = {name + each for each in experiments for name in (b"LAMBDA_TRAIN_RUN=", b"LAMBDA_TRAIN_EVALUATION=")}
    notebook = []
    for pid in pids():
        if pid == os.getpid():
            continue
        verb = verb_of(words_of(pid))
        if verb is not None:
            return verb
        environment = environment_of(pid)
        if pid in scopes or not marks.isdisjoint(environment):
            return "training"
        if any(word.startswith(b"LAMBDA_TRAIN_UPLOAD=" + os.fsencode(BASE)) for word in environment):
            return "upload"
        if b"LAMBDA_TRAIN_AT_WORK=" + os.fsencode(BASE) in environment or is_started_by_login(pid, environment):
            return "command"
        if b"LAMBDA_TRAIN_NOTEBOOK=lambda-train-notebook" in environment and is_ours(environment):
            notebook.append(pid)
    return "notebook" if notebook_works(notebook) else None


def verb_of(words):
    """The verb that a process of this agent, of another one, or of an earlier release's scripts works at; or None."""
    agents, scripts = (os.fsencode(os.path.join(BASE, name)) + b"/" for name in ("agent", "scripts"))
    for word, after in zip(words[:3], [*words[1:], b""]):
        if word.startswith(agents) and after.decode(errors="replace") in WORKING:
            return after.decode()
        if word.startswith(scripts) and os.path.basename(word).decode(errors="replace") in EARLY:
            return os.path.basename(word).decode()
    return None


def is_ours(environment):
    return b"HOME=" + os.fsencode(os.path.expanduser("~")) in environment


def is_started_by_login(pid, environment):
    """Whether a shell of `npm run ssh` has started it."""
    shells = [word for word in environment if word.startswith(b"LAMBDA_TRAIN_SHELL=")]
    if not shells or shells[0].endswith(b"=%d" % pid) or not is_ours(environment):
        return False
    return (name_of(pid) or "sh") not in SHELLS


def tell(state, text="", at=None):
    """What a status shows. `at`: when the instance ends if its results are safe then, in seconds since the epoch."""
    now = {"state": state, **({"text": text} if text else {}), **({} if at is None else {"at": int(at)})}
    if read_json(STATUS, None) != now:
        write_json(STATUS, now)


def unsafe_results(settings):
    """Why the results of some run would be lost, or None."""
    for run in runs():
        attempt = run.newest()
        try:
            if is_fetched(attempt):
                continue
            why = f"the results of {run.experiment} are not at home (npm run results)"
        except Unsafe as error:
            why = str(error)
        if is_home_in_bucket(attempt):
            problem = try_keep(attempt)
            forget_unless_needed()
            if problem is None:
                continue
            why = f"{why}, and could not be put into {attempt.get('description')['bucket']['url']}: {problem}"
        if settings.get("fileSystem") is None:
            return why
        try:
            keep(attempt, settings["fileSystem"], settings["instance"])
        except (Unsafe, OSError) as error:
            return f"{why}, and could not be kept on the file system: {error}"
    # Somebody may have trained by exec or in a notebook.
    byhand = None if runs() else Look(Run("")).biggest_checkpoint()
    return None if byhand is None else f"{byhand} was written outside of any run (npm run down)"


def is_home_in_bucket(attempt):
    """Whether its results are safe once they are in their bucket."""
    return ((attempt.get("description") or {}).get("bucket") or {}).get("home") is True


def take_up_all():
    """A run that has lost its supervisor gets another, though nobody else looks: its limits hold again."""
    for run in runs():
        try:
            if is_unsupervised(run.newest()):
                take_up(run)
        except OSError:
            pass  # The disk is full: the next look tries anew.


def look(settings):
    """One look. Returns seconds until the next one."""
    take_up_all()
    after = settings["after"]
    busy = works()
    if busy is not None:
        os.utime(ACTIVE)
        tell("busy")
        return min(15, after / 4)
    due = os.stat(ACTIVE).st_mtime + (after if runs() else max(after, BEFORE_FIRST_RUN))
    if time.time() < due:
        tell("waiting", at=due)
        return min(15, max(0.2, due - time.time()))
    unsafe = None if settings["loseResults"] else unsafe_results(settings)
    if unsafe is not None:
        tell("unsafe", unsafe)
        return min(15, after / 4)
    # Copying may have taken long; what was begun meanwhile goes on.
    return 0 if works() is not None else terminate(settings)


def terminate(settings):
    with open(KEY) as file:
        cloud = Cloud(settings["url"], file.read().strip())
    try:
        # Terminating twice is an error to the API.
        status = cloud.status(settings["instance"])
        if status not in ("terminating", "terminated"):
            cloud.terminate(settings["instance"], wanted=lambda: works() is None)
        tell("terminating")
        terminate.pause = 5
        return 15
    except Abandoned:
        return 0
    except ApiError as error:
        tell("refused" if error.refused else "failed", str(error))
        if error.refused:
            return min(REFUSED_PAUSE, settings["after"])
        terminate.pause = min(terminate.pause * 2, LONGEST_PAUSE)
        return min(terminate.pause, settings["after"])


terminate.pause = 2.5


@takes()
def watch():
    """What `arm` starts, and cron after a reboot."""
    lock("self-terminate", take_over=True)
    put(PROCESS, key_of(os.getpid()))
    while os.path.exists(SETTINGS):
        try:
            pause = look(read_json(SETTINGS, None))
        except Exception as error:  # pylint: disable=broad-except # nobody else would end the instance
            tell("failed", f"{type(error).__name__}: {error}")
            pause = 15
        time.sleep(pause)


def cron(line):
    """Replaces our line of the user's crontab; without cron a reboot ends the watching."""
    try:
        table = subprocess.run(["crontab", "-l"], capture_output=True, text=True, check=False).stdout
        kept = [
            each
            for each in table.splitlines()
            if not any(mark in each for mark in ("self-terminate.py", "terminate-watch"))
        ]
        lines = kept + ([line] if line else [])
        if lines != table.splitlines():
            subprocess.run(
                ["crontab", "-"], input="".join(f"{each}\n" for each in lines), text=True, check=True, capture_output=True
            )
        return True
    except (OSError, subprocess.CalledProcessError):
        return False


# `instance`: its id. `url`: the API's. `after`: seconds without work. `fileSystem`: mount point, or null.
@takes(key=str, instance=str, url=str, after=float, loseResults=bool, fileSystem=Maybe(str))
def arm(key, instance, url, after, lose_results, file_system):
    """Tries the key, and starts watching. Prints whether that goes on after a reboot."""
    require_right(Cloud(url, key), instance)
    own_folder(HOME)
    put(KEY, key)
    with open(ACTIVE, "a", encoding="ascii"):
        os.utime(ACTIVE)
    tell("waiting", at=time.time() + after)
    write_json(
        SETTINGS, {"instance": instance, "url": url, "after": after, "loseResults": lose_results, "fileSystem": file_system}
    )
    command = own_command("terminate-watch")
    survives = cron(f"@reboot {' '.join(map(shlex.quote, command))}")
    wait_until_it_watches(start_detached(command, cwd="/"))
    print(json.dumps({"survivesReboot": survives}))


def require_right(cloud, instance):
    """The key serves, and the API knows the instance."""
    try:
        # One answer that does not know an instance proves nothing: the API may not show it yet.
        for pause in (5, 5, 0):
            if cloud.status(instance) is not None:
                return
            time.sleep(pause)
    except ApiError as error:
        die(1, f"The instance cannot end itself: {error}.")
    die(1, f"The instance cannot end itself: to this key the API knows no instance {instance}.")


def watching_key():
    """The key of the process that watches, or None where that has ended."""
    key = fact(PROCESS)
    return key if is_alive(key) else None


def wait_until_it_watches(process):
    """Armed is what is watched: whoever asks next finds it so, and `disarm` meets a watch that it can end."""
    due = time.monotonic() + STARTING
    while pid_in(watching_key() or "0") != process.pid:
        if process.poll() is not None or time.monotonic() > due:
            die(1, f"The instance cannot end itself: its watch did not start (status {process.poll()}).")
        time.sleep(0.05)


@takes()
def alive():
    print(json.dumps({"alive": watching_key() is not None}))


@takes()
def disarm():
    """Stops watching and forgets the key."""
    cron(None)
    for path in (SETTINGS, KEY):
        unlink_if_there(path)
    # The watch ends here; a look that it was at may have told something last.
    lock("self-terminate", take_over=True)
    for path in (STATUS, PROCESS):
        unlink_if_there(path)
