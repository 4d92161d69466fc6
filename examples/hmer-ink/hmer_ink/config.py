"""The experiment's configuration: YAML over defaults, checked as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from .errors import WorkloadError

DEVICES = ("auto", "cpu", "cuda")


@dataclass(frozen=True)
class DataConfig:
    """Where the ink is and how finely it is sampled."""

    root: str = "data"
    spacing: float = 0.1  # distance of two points, in symbol sizes
    max_points: int = 1024  # longer ink is sampled more coarsely


@dataclass(frozen=True)
class ModelConfig:
    """Size of the network."""

    channels: int = 96
    blocks: int = 6
    dropout: float = 0.1


@dataclass(frozen=True)
class TrainingConfig:
    """How to train. `batch_size` is the number of expressions in one step over all processes."""

    epochs: int = 30
    batch_size: int = 16
    learning_rate: float = 0.003
    warmup_steps: int = 60
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    augment: bool = True
    log_every_steps: int = 50
    checkpoint_every_seconds: float = 30.0
    checkpoint_every_epochs: int = 5
    keep_checkpoints: int = 3


@dataclass(frozen=True)
class Config:
    """One experiment. `threads` 0 leaves the number of CPU threads to PyTorch."""

    experiment: str = "hmer-ink"
    output_dir: str = "outputs"
    seed: int = 0
    device: str = "auto"
    threads: int = 2
    use_wandb: bool = False
    wandb_project: str = "hmer-ink"
    data: DataConfig = field(default_factory=DataConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)

    @property
    def folder(self) -> Path:
        """Where everything of this experiment is written."""
        return Path(self.output_dir) / self.experiment


# What may differ between a run and its resumption: none of it changes what is learned, but for `training.epochs`, by
# which a finished run is taken further, and `threads`, which changes the last digits.
FREE = (
    "experiment",
    "threads",
    "training.epochs",
    "output_dir",
    "device",
    "use_wandb",
    "wandb_project",
    "data.root",
    "training.log_every_steps",
    "training.checkpoint_every_seconds",
    "training.checkpoint_every_epochs",
    "training.keep_checkpoints",
)


def _convert(default: Any, value: Any) -> Any:
    """The value in the type of the default. Raises ValueError when it is of another kind."""
    kind = type(default)
    if kind is float and isinstance(value, str):
        return float(value)  # YAML 1.1 reads 3e-4, without a point, as text
    if isinstance(value, bool) is not (kind is bool) or not isinstance(value, (int, float) if kind is float else kind):
        raise ValueError(value)
    return kind(value)


def _build(kind: type, values: Any, prefix: str, problems: list[str]) -> Any:
    defaults = kind()
    if not isinstance(values, dict):
        problems.append(f"{prefix.rstrip('.') or 'the file'} has to be a mapping, got {values!r}")
        return defaults
    known = {item.name for item in fields(kind)}
    problems += [
        f"{prefix}{key} is not known; known here: {', '.join(sorted(known))}" for key in values if key not in known
    ]
    given: dict[str, Any] = {}
    for name in known & set(values):
        default, value = getattr(defaults, name), values[name]
        if is_dataclass(default):
            given[name] = _build(type(default), value, f"{prefix}{name}.", problems)
            continue
        try:
            given[name] = _convert(default, value)
        except ValueError:
            problems.append(f"{prefix}{name} has to be of type {type(default).__name__}, got {value!r}")
    return kind(**given)


def _check(config: Config, problems: list[str]) -> None:
    if config.device not in DEVICES:
        problems.append(f"device is {config.device!r}; allowed: {', '.join(DEVICES)}")
    if not config.experiment or "/" in config.experiment or config.experiment.startswith("."):
        problems.append(f"experiment is {config.experiment!r}; it names a folder under {config.output_dir}/")
    positive = {
        "data.spacing": config.data.spacing,
        "data.max_points": config.data.max_points,
        "model.channels": config.model.channels,
        "model.blocks": config.model.blocks,
        "training.epochs": config.training.epochs,
        "training.batch_size": config.training.batch_size,
        "training.learning_rate": config.training.learning_rate,
        "training.clip_norm": config.training.clip_norm,
        "training.log_every_steps": config.training.log_every_steps,
        "training.checkpoint_every_epochs": config.training.checkpoint_every_epochs,
        "training.keep_checkpoints": config.training.keep_checkpoints,
    }
    problems += [f"{name} has to be above 0, got {value}" for name, value in positive.items() if not value > 0]
    not_negative = {
        "seed": config.seed,
        "threads": config.threads,
        "training.warmup_steps": config.training.warmup_steps,
        "training.weight_decay": config.training.weight_decay,
        "training.checkpoint_every_seconds": config.training.checkpoint_every_seconds,
    }
    problems += [f"{name} can't be negative, got {value}" for name, value in not_negative.items() if value < 0]
    if not 0 <= config.model.dropout < 1:
        problems.append(f"model.dropout has to be from 0 to below 1, got {config.model.dropout}")


def parse_config(values: Any, source: str = "config") -> Config:
    """Check plain values and return the configuration; all problems are reported together."""
    problems: list[str] = []
    config = _build(Config, {} if values is None else values, "", problems)
    if not problems:
        _check(config, problems)
    if problems:
        raise WorkloadError(f"{source}: " + "; ".join(problems))
    return config


def _override(values: dict[str, Any], assignment: str) -> None:
    name, equals, text = assignment.partition("=")
    if not equals or not name:
        raise WorkloadError(f"--set needs name=value, such as training.epochs=3, got {assignment!r}")
    *sections, key = name.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise WorkloadError(f"--set {assignment}: {section} has no fields")
        values = inner
    values[key] = yaml.safe_load(text)


def load_config(path: Path, experiment: str | None = None, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML file, put `name=value` overrides and the experiment's name over it, and check the whole."""
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except OSError as error:
        raise WorkloadError(f"can't read the config {path}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise WorkloadError(f"{path} is not YAML: {error}") from error
    if isinstance(values, dict):
        for assignment in overrides:
            _override(values, assignment)
        if experiment:
            values["experiment"] = experiment
    return parse_config(values, str(path))


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted name."""
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= flatten(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return flat


def differences(before: dict[str, Any], after: Config) -> list[str]:
    """What a resumption would change about the learning, as `name: old -> new`."""
    old, new = flatten(before), flatten(asdict(after))
    return [
        f"{name}: {old.get(name)!r} -> {value!r}"
        for name, value in new.items()
        if name not in FREE and old.get(name) != value
    ]


def dump_config(config: Config) -> str:
    """YAML of the whole configuration."""
    return yaml.safe_dump(asdict(config), sort_keys=False)
