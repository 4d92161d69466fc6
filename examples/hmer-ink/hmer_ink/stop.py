"""SIGTERM and SIGINT as a wish to stop, kept until the training can follow it."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Remembers the first signal. Exit status of a run that it ended: 128 + number (SIGTERM 143, SIGINT 130)."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def install(self) -> StopRequest:
        """Take over SIGTERM and SIGINT; more of them change nothing, the checkpoint is on its way."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._remember)
        return self

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number


class Stopped(Exception):
    """The run ended early, with its checkpoint written."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number
