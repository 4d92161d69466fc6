"""torchrun with exit statuses that tell: python3 -m hmer_ink.launch [torchrun options] -m hmer_ink.train ...

Exit status: 0, that of the first process that failed (2: something to repair), or 143 and 130 after a signal.
"""

from __future__ import annotations

import os
import sys

from torch.distributed import run
from torch.distributed.elastic.multiprocessing import SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def _repair_std() -> None:
    # PyTorch 1.13 iterates over an enum to read "--redirects 0", and Python 3.11 leaves the zero out of that iteration:
    # on Debian 12 torchrun starts nothing without this. Later versions of PyTorch read it otherwise.
    if Std.from_str("0") is None:
        original = Std.from_str
        Std.from_str = lambda text: original(text) or Std.NONE


def main() -> int:
    """Run torchrun and return the exit status."""
    _repair_std()
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # the training sets its own; torchrun warns when nobody has chosen
    try:
        run.run(run.parse_args(sys.argv[1:]))
    except SignalException as stopped:
        return 128 + stopped.sigval
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        print(f"process {failure.local_rank} failed with exit status {failure.exitcode}", file=sys.stderr)
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    return 0


if __name__ == "__main__":
    sys.exit(main())
