"""What the study takes from Optuna, by the sweep's words."""

import hashlib
import json

import optuna
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from sweep.values import key_of

# Optuna's importance of more trials takes longer than a look may.
MOST_FOR_IMPORTANCE = 2000
PRUNERS = {"median": optuna.pruners.MedianPruner, "hyperband": optuna.pruners.HyperbandPruner}


def sampler_of(kind, seed, number):
    """
    A sampler for one trial. It depends on the seed and the trial's number alone, so that a study whose server was started
    again goes on as one whose server wasn't.
    """
    own = int.from_bytes(hashlib.sha256(f"{seed} {number}".encode()).digest()[:4], "big")
    if kind == "random":
        return optuna.samplers.RandomSampler(seed=own)
    return optuna.samplers.TPESampler(seed=own, constant_liar=True)


def pruner_of(prune):
    if prune is None:
        return optuna.pruners.NopPruner()
    return PRUNERS[prune["kind"]](**prune["options"])


def distribution_of(told):
    if told["choices"] is not None:
        return CategoricalDistribution([json.loads(text) for text in told["choices"]])
    low, high, log, step = told["low"], told["high"], bool(told["log"]), told["step"]
    if told["int"]:
        return IntDistribution(int(low), int(high), log=log, step=int(step or 1))
    return FloatDistribution(low, high, log=log, step=step)


def named(distributions, trials):
    """
    The distributions by the names that the study has for them. Optuna lets a range change, but neither choices nor a scale:
    a parameter that has changed so is another one to it.
    """
    known = {name: each for trial in trials for name, each in trial.distributions.items()}
    return {own_name(name, each, known): name for name, each in distributions.items()}


def own_name(name, distribution, known):
    try:
        if name in known:
            optuna.distributions.check_distribution_compatibility(known[name], distribution)
        return name
    except ValueError:
        told = optuna.distributions.distribution_to_json(distribution)
        return f"{name}~{hashlib.sha256(told.encode()).hexdigest()[:6]}"


def importances(trials, direction):
    """
    How much each value has to do with the metric, by trials' (params, value): PED-ANOVA, which needs no further package.
    Nothing where too few trials tell it.
    """
    trials = trials[-MOST_FOR_IMPORTANCE:]
    names = [name for name in trials[0][0] if len({key_of(params.get(name)) for params, _ in trials}) > 1] if trials else []
    if len(trials) < 3 or not names:
        return {}
    spaces = {name: space_of([params[name] for params, _ in trials if name in params]) for name in names}
    study = optuna.create_study(direction=direction, sampler=optuna.samplers.RandomSampler(seed=0))
    for params, value in trials:
        own = {name: coded(params[name], spaces[name]) for name in names if name in params}
        study.add_trial(
            optuna.trial.create_trial(params=own, distributions={name: spaces[name] for name in own}, value=value)
        )
    try:
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    except (ValueError, RuntimeError):
        return {}
    return {name: round(share, 4) for name, share in found.items()}


def space_of(values):
    """The space of the values that were tried."""
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        low, high = min(values), max(values)
        return FloatDistribution(low, high, log=low > 0 and high / low >= 100)
    return CategoricalDistribution(sorted({key_of(value) for value in values}))


def coded(value, space):
    return float(value) if isinstance(space, FloatDistribution) else key_of(value)
