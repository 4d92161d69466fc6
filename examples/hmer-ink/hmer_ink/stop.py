"""SIGTERM, SIGINT and SIGHUP as a wish to stop, kept until the training can follow it."""

from __future__ import annotations

import signal
from types import FrameType


class StopRequest:
    """Remembers the first signal, or SIGTERM. A run that it ended exits with 128 + number (SIGTERM 143, SIGINT 130)."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def install(self) -> StopRequest:
        """Take over the signals; more of them change nothing, the checkpoint is on its way."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            # nohup and background shells ignore some on purpose: that stays so.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, self._remember)
        return self

    def _remember(self, number: int, _frame: FrameType | None) -> None:
        # Where several arrive together, the one that was sent on purpose gives the exit status.
        if self.signal is None or number == signal.SIGTERM:
            self.signal = number


class Stopped(Exception):
    """The run ended early, with its checkpoint written."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number
