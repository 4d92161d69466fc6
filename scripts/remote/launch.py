#!/usr/bin/env python3
"""Starts an attempt's training, outlives its supervisor, and writes down how training ended.

Usage: launch.py FACTS EXPERIMENT WORD...
  FACTS       folder of the attempt's facts
  EXPERIMENT  its name: the mark by which the run's processes are known
  WORD...     the command
What training starts stays below this process, in sessions and environments of its own too: orphans come here (child
subreaper), and tmux and screen start servers of their own, since their sockets lie in a folder of this attempt.
Writes the fact training_end when the command has ended, one line: its exit status (128 + signal), seconds that it took,
seconds of processor time, ticks from the boot to its end, size of the log then. Stays until everything below has ended.
After a TERM, which comes when the machine goes down, no status is written: the run is not over.
Exit codes: 0, 2 usage.
"""
import ctypes
import glob
import os
import shutil
import signal
import sys
import tempfile
import time

PR_SET_CHILD_SUBREAPER = 36
# A machine that goes down tells training and this process at about the same time.
SETTLE = 0.2
going_down = []


def become(experiment, sockets, words):
    os.setsid()
    # Python ignores these, and what is ignored stays ignored in a program that is started.
    for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    for name in ("TMUX", "TMUX_PANE", "STY"):
        os.environ.pop(name, None)
    os.environ.update(LAMBDA_TRAIN_RUN=experiment, TMUX_TMPDIR=sockets, SCREENDIR=sockets)
    os.execvp(words[0], words)


def put(facts, name, text):
    """As put of lib.sh: on a full disk room that was kept is given up. Where none is left, tries until there is some."""
    path = os.path.join(facts, name)
    reserve = os.path.join(facts, "..", "..", "..", "..", "reserve", "*")
    temporary = "%s.tmp.%d" % (path, os.getpid())
    while True:
        try:
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
                file.write(text + "\n")
            os.replace(temporary, path)
            return
        except OSError:
            pieces = glob.glob(reserve)
            if pieces:
                os.unlink(pieces[0])
            else:
                time.sleep(1)


def main(facts, experiment, *words):
    # Handlers, since what is ignored would be ignored by training as well.
    signal.signal(signal.SIGHUP, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, lambda *_: going_down.append(True))
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Short: the path of a socket has little room.
    sockets = tempfile.mkdtemp(prefix="lambda-train-", dir="/tmp")
    began = time.monotonic()
    pid = os.fork()
    if pid == 0:
        try:
            become(experiment, sockets, words)
        finally:
            os._exit(127)
    while True:
        try:
            ended, status, usage = os.wait4(-1, 0)
        except ChildProcessError:
            break
        if ended != pid:
            continue
        seconds = time.monotonic() - began
        ticks = time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK")
        size = os.fstat(1).st_size
        time.sleep(SETTLE)
        if going_down:
            break
        code = 128 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        used = usage.ru_utime + usage.ru_stime
        put(facts, "training_end", "%d %d %.2f %d %d" % (code, seconds, used, ticks, size))
    shutil.rmtree(sockets, ignore_errors=True)


if len(sys.argv) < 4:
    print(__doc__.split("\n")[2], file=sys.stderr)
    sys.exit(2)
main(*sys.argv[1:])
