"""How far an attempt is."""

from base.processes import is_alive
from run.processes import Processes

LIMITS = ("budget", "limit", "idle")


def is_unsupervised(attempt):
    """Whether it has lost its supervisor, and has what one would see to its end."""
    supervisor = attempt.get("supervisor") if attempt else None
    if supervisor is None or attempt.has("exit") or is_alive(supervisor) or attempt.has("interrupted"):
        return False
    return attempt.has("trainingEnd") or Processes(attempt).train()


def wanted_evaluation(attempt):
    """How it is to be evaluated; None where it is not."""
    return (attempt.get("description") or {}).get("evaluation")


def evaluates_itself(attempt):
    """
    Whether its supervisor evaluates such an end. What ended well it does, and what a limit ended: the run is over. What
    somebody stopped is left to them.
    """
    reason = attempt.get("stopReason")
    if reason is None:
        return attempt.get("exit") == 0 and not attempt.has("detached")
    return reason in LIMITS


def is_over(attempt):
    """Whether it has ended, and its supervisor has nothing left to do but to go."""
    if not attempt.has("exit"):
        return False
    return attempt.has("evaluationExit") or wanted_evaluation(attempt) is None or not evaluates_itself(attempt)
