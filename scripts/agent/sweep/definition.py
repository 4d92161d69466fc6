"""What a sweep is, as `place` tells the study: made by plan/sweep.ts."""

from base.document import Maybe
from sweep.values import parsed

# A parameter of a search: `choices`, or numbers from `low` to `high`, in `step` or by a logarithmic scale.
RANGE = {
    "choices": Maybe([str]),
    "low": Maybe(float),
    "high": Maybe(float),
    "log": Maybe(bool),
    "step": Maybe(float),
    # Whole numbers.
    "int": Maybe(bool),
}
PRUNE = {
    # median or hyperband.
    "kind": str,
    # As Optuna's pruner names them: n_startup_trials, min_resource…
    "options": {str: object},
}
DEFINITION = {
    # The trials of a grid or a list, each value as JSON text.
    "points": Maybe([{str: str}]),
    # Of a search.
    "space": Maybe({str: RANGE}),
    "sampler": Maybe(str),
    "trials": Maybe(int),
    "seed": int,
    "metric": str,
    # minimize or maximize.
    "direction": str,
    "prune": Maybe(PRUNE),
    # How often a trial that has failed is run again.
    "retries": int,
    # Seconds without word of a trial after which it is given to another machine.
    "leaseSeconds": int,
}

# A trial whose results are at home, for a study that was lost with all copies.
TRAINED = {"number": int, "params": {str: object}, "value": Maybe(float)}
# Trials that one sweep may have, and values of the metric that one trial may tell.
MOST_TRIALS, MOST_VALUES = 10_000, 1000


def points_of(definition):
    """The values of each trial of a grid or a list."""
    return [parsed(point) for point in definition["points"] or []]
