"""How many trials a machine runs at a time, and which GPUs each gets."""

from base.processes import fields_of

SECONDS = 20


def gpus():
    """How many GPUs this machine has."""
    told = b"\n".join(fields_of(["nvidia-smi", "-L"], SECONDS))
    return sum(line.startswith(b"GPU ") for line in told.split(b"\n"))


def slots_of(worker, count):
    """For each trial at a time the GPUs that it sees; None for all, also where there are none."""
    several = worker.get("runsPerMachine")
    each = worker.get("gpusPerRun")
    if several is None:
        several = count // each if each and count > each else 1
    if several == 1 or count == 0:
        return [None] * several
    # More trials than GPUs share them.
    each = each or max(1, count // several)
    return [",".join(str((slot * each + at) % count) for at in range(each)) for slot in range(several)]
