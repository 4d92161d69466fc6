"""The names of what counts, in tables and rows of metrics: as in cli/curves/history.ts."""

STEPS = "global_step step steps total_steps num_updates training_iteration iteration iter it update updates".split()
EPOCHS = ("epoch", "epochs")
# These measure nothing.
COUNTERS = frozenset((*STEPS, *EPOCHS, "batch", "time", "timestamp", "runtime", "seed", "rank", "unnamed: 0"))


def last_part(name):
    return name.strip().lower().rpartition("/")[2].lstrip("_")


def by_last_part(names):
    return {last_part(name): name for name in names if isinstance(name, str)}
