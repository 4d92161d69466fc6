"""Watches the other machines of a training: where one is lost or has failed, the others must not wait in a collective and bill."""

import threading
import time

from fleet.link import Refused, Unreachable, ask
from nodes.checkpoints import copy_from

# Seconds between two looks at a machine, for one answer, and without one until it counts as lost. Each look starts a Python
# there: of many machines rank 0 would have little time for anything else.
PAUSE = 2
LOOKS = 8
ANSWER = 15
LOST = 60
BRIEF = 5
# Seconds for a machine to join the round, after this one began.
PATIENCE = 630

# Rank 1 copies rank 0's newest checkpoints: seconds between two times, and the part of its time that this may take at most.
COPY = 15
SHARE = 0.1

LOST_REASON = "node lost"


class Others:
    """
    The machines that this one watches: rank 0 watches all others, and each of them rank 0, which ends when any of them does.
    `reason` is set once training here must stop.
    """

    def __init__(self, attempt):
        self.attempt = attempt
        self.reason = None
        self.began = time.monotonic()
        # Of rank 0, where the first step is logged.
        self.first_step = None
        node = attempt.get("description")["node"]
        # So many looks a second at most.
        self.pause = max(PAUSE, len(node["machines"]) / LOOKS)
        ranks = range(1, len(node["machines"])) if node["rank"] == 0 else [0]
        self.machines = [node["machines"][rank] for rank in ranks]
        for rank, machine in zip(ranks, self.machines):
            threading.Thread(target=self.follow, args=(rank, machine), daemon=True).start()
        if node["rank"] == 1:
            threading.Thread(target=self.copy, args=(node["machines"][0],), daemon=True).start()

    def follow(self, rank, machine):
        seen_at, has_joined = time.monotonic(), False
        while True:
            time.sleep(self.pause)
            own = (self.attempt.get("group") or {}).get("round")
            if own is None:
                # This machine waits for its place itself.
                seen_at = time.monotonic()
                continue
            try:
                told = ask(machine, "node-look", {"experiment": self.attempt.run.experiment}, ANSWER)
                seen_at = time.monotonic()
            except (Unreachable, Refused):
                if time.monotonic() - seen_at >= LOST:
                    self.stop(LOST_REASON)
                    return
                continue
            if told["round"] != own:
                if has_joined or rank == 0:
                    self.stop(f"rank {rank} failed")
                    return
                if time.monotonic() - self.began >= PATIENCE:
                    self.stop(f"rank {rank} did not start")
                    return
                continue
            has_joined = True
            if rank == 0 and told["firstStepAt"]:
                self.first_step = (told["firstStepAt"], told["firstStepLine"])
            if told["state"] in ("finished", "evaluating"):
                return
            if told["state"] == "failed":
                self.stop(f"rank {rank} failed")
                return
            if told["state"] == "stopped":
                self.stop(told["stopReason"])
                return

    def cause(self):
        """Why one of them is being stopped, if one is: training here that fails then has only lost its company."""
        own = (self.attempt.get("group") or {}).get("round")
        for machine in self.machines:
            try:
                told = ask(machine, "node-look", {"experiment": self.attempt.run.experiment}, BRIEF)
            except (Unreachable, Refused):
                continue
            if told["round"] == own and told["stopReason"]:
                return told["stopReason"]
        return None

    def copy(self, machine):
        pause = COPY
        while True:
            time.sleep(pause)
            if not self.attempt.has("group"):
                continue
            began = time.monotonic()
            copy_from(self.attempt, machine)
            pause = max(COPY, (time.monotonic() - began) / SHARE)

    def stop(self, reason):
        # The first one is the cause.
        if self.reason is None:
            self.reason = reason
