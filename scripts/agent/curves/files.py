"""The files in which loggers keep curves: what they are called, and what each tells."""

import functools
import os
import re
import time

from curves import events, mlflow_metric, wandb_run
from curves.points import Curves

# `<run>/metrics/<name>`, where the name may have parts.
MLFLOW = re.compile(r"(?:^|/)[0-9a-f]{32}/metrics/([^\0]+)$")
WANDB = re.compile(r"(?:^|/)run-[^/]+\.wandb$")
# Seconds that one look at one file may take; the rest is read by the next one.
PATIENCE = 5


def reader_of(path):
    """What reads a file by its name; None where it is none of these."""
    name = os.path.basename(path)
    if "tfevents" in name:
        return events.read
    if WANDB.search(path):
        return wandb_run.read
    metric = MLFLOW.search(path)
    return functools.partial(mlflow_metric.read, name=metric.group(1)) if metric else None


class CurveFile:
    """A file that grows: each look goes on where the last one ended."""

    def __init__(self, path):
        self.path, self.identity, self.at, self.size, self.is_behind = path, None, 0, 0, False
        self.curves = Curves()

    def look(self, seconds=PATIENCE):
        """@raises OSError"""
        until = time.monotonic() + seconds
        with open(self.path, "rb") as file:
            info = os.fstat(file.fileno())
            identity = (info.st_dev, info.st_ino)
            if identity != self.identity or info.st_size < self.at:
                # Another one has its place.
                self.identity, self.at, self.curves = identity, 0, Curves()
            self.size = info.st_size
            reader = reader_of(self.path)
            self.at = reader(file, self.at, self.size, self.curves, lambda: time.monotonic() > until)
            self.is_behind = time.monotonic() > until and self.at < self.size
