"""The log of a run: standard output and `logs/train.log`, in UTC, each line flushed."""

from __future__ import annotations

import logging
import os
import sys
import time
from pathlib import Path


def start_log(file: Path | None) -> None:
    """Log to standard output and append to `file`; with None only warnings are shown (helper processes)."""
    formatter = logging.Formatter("%(asctime)sZ %(levelname)s %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stdout)]
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        handlers.append(logging.FileHandler(file, encoding="utf-8"))
    # A terminal that has gone away is no reason to fill standard error, let alone to stop.
    logging.raiseExceptions = False
    for handler in handlers:
        handler.setFormatter(formatter)
    logging.getLogger("torch").setLevel(logging.WARNING)
    logging.basicConfig(level=logging.WARNING if file is None else logging.INFO, handlers=handlers, force=True)


def leave_stdout() -> None:
    """Flush standard output; where nobody reads it any more, keep Python from ending with status 120 for that."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
