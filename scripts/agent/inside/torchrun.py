"""torchrun, run by the workload's Python: its exit status is that of the first process that failed."""

import os
import sys

from torch.distributed import run
from torch.distributed.elastic.agent.server.api import SimpleElasticAgent, WorkerState
from torch.distributed.elastic.multiprocessing import SignalException, Std
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError


def repair():
    """PyTorch 1.13 iterates over an enum to read "--redirects 0", and Python 3.11 leaves the zero out of that iteration."""
    if Std.from_str("0") is None:
        original = Std.from_str
        Std.from_str = lambda text: original(text) or Std.NONE


def end_at_once():
    """
    Where a process has failed, torchrun waits 300 s for the torchruns of other machines to end. They may hang in a collective,
    and the stack ends them once this one has.
    """
    wait = SimpleElasticAgent._exit_barrier

    def wait_well(agent):
        if agent.get_worker_group().state == WorkerState.SUCCEEDED:
            wait(agent)

    SimpleElasticAgent._exit_barrier = wait_well


def main():
    repair()
    end_at_once()
    # torchrun warns where nobody has chosen.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        run.run(run.parse_args(sys.argv[1:]))
    except SignalException as stopped:
        return 128 + stopped.sigval
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        print(f"process {failure.local_rank} of this machine failed with status {failure.exitcode}", file=sys.stderr)
        return failure.exitcode if failure.exitcode > 0 else 128 - failure.exitcode
    return 0


if __name__ == "__main__":
    sys.exit(main())
