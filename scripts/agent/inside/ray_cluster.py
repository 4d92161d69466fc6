"""
Ray's own commands, in the Python that trains: `start …` is `ray start …`; `wait ADDRESS NODES SECONDS` waits until so many
nodes have joined.
"""

import sys
import time

import ray
from ray.scripts.scripts import main

# The first release with token authentication.
OLDEST = (2, 52)


def wait(address, nodes, seconds):
    ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        alive = sum(node["Alive"] for node in ray.nodes())
        if alive >= nodes:
            return 0
        time.sleep(0.5)
    print(f"{alive} of {nodes} nodes joined the Ray cluster within {seconds} s", file=sys.stderr)
    return 1


if __name__ == "__main__":
    if tuple(map(int, ray.__version__.split(".")[:2])) < OLDEST:
        sys.exit(
            f"Ray {ray.__version__} has no token authentication, so anybody on the machines' network could run code in its "
            f"cluster. Install ray>={'.'.join(map(str, OLDEST))}."
        )
    sys.exit(wait(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])) if sys.argv[1] == "wait" else main())
