"""The error that a user can repair."""

from __future__ import annotations

import sys
from typing import NoReturn

EXIT_USAGE = 2


class WorkloadError(Exception):
    """Something about the config, the data or the machine that the user can repair; shown without a traceback."""


def exit_with(error: WorkloadError) -> NoReturn:
    """Print the message on stderr and exit with status 2."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    raise SystemExit(EXIT_USAGE)
