"""Score a checkpoint on a split: python3 -m hmer_ink.evaluate --model outputs/NAME/checkpoints/best_model.pt.

Writes outputs/NAME/metrics/evaluation.json (of another split than test: evaluation_SPLIT.json) and prints a few
predictions beside what was written. Exit status 2 when the checkpoint or the data can't be used.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from .checkpoint import load
from .config import DEVICES, Config, parse_config
from .dataset import Example, load_labels, load_split
from .errors import WorkloadError, exit_with
from .files import write_json
from .metrics import Score, chance
from .model import Recognizer
from .tokens import Vocabulary, detokenize
from .validate import Validation, validate
from .world import World, choose_device

_KNOWN_LABELS = 2000


def _rates(score: Score) -> dict[str, float]:
    return {"token_error_rate": score.token_error_rate, "expression_accuracy": score.expression_accuracy}


def report(
    path: Path, split: str, config: Config, state: dict[str, Any], examples: Sequence[Example], result: Validation
) -> dict[str, Any]:
    """The content of evaluation.json."""
    known = load_labels(Path(config.data.root), "train", _KNOWN_LABELS)
    guessed = chance([example.tokens for example in examples], known)
    return {
        "split": split,
        "examples": len(examples),
        **_rates(result.score),
        "loss": result.loss,
        "chance": {"method": "label of a random training expression", **_rates(guessed)},
        "checkpoint": path.as_posix(),
        "checkpoint_epoch": state["metrics"].get("epoch"),
    }


def _print(values: dict[str, Any], examples: Sequence[Example], predictions: dict[int, list[str]], count: int) -> None:
    rows = [("", "written", "recognized")]
    for position in range(min(count, len(examples))):
        expected, predicted = examples[position].tokens, predictions[position]
        rows.append(("ok" if expected == predicted else "--", detokenize(expected), detokenize(predicted)))
    width = max(len(row[1]) for row in rows)
    for mark, written, recognized in rows:
        print(f"{mark:2}  {written:{width}}  {recognized}".rstrip())
    print(f"\n{'':22}{'model':>8}{'chance':>8}")
    for name in ("token_error_rate", "expression_accuracy"):
        print(f"{name:22}{values[name]:8.4f}{values['chance'][name]:8.4f}")


def evaluate(path: Path, split: str, device: str, data: str | None, count: int) -> dict[str, Any]:
    """Score the checkpoint, write and print the result, and return it."""
    state = load(path)
    config = parse_config(state["config"], str(path))
    if data:
        config = replace(config, data=replace(config.data, root=data))
    torch.set_num_threads(config.threads or torch.get_num_threads())
    world = World(0, 1, 1, choose_device(device))
    vocabulary = Vocabulary(state["vocabulary"])
    model = Recognizer(config.model, vocabulary.classes).to(world.device)
    model.load_state_dict(state["model"])
    examples = load_split(config.data, split)
    result = validate(model, examples, vocabulary, config.data.spacing, world)
    values = report(path, split, config, state, examples, result)
    name = "evaluation.json" if split == "test" else f"evaluation_{split}.json"
    # The checkpoint knows its place: outputs/NAME/checkpoints/best_model.pt.
    target = path.resolve().parent.parent / "metrics" / name
    write_json(target, values)
    _print(values, examples, result.predictions, count)
    print(f"\nwritten to {target}")
    return values


def main() -> int:
    """Parse the arguments and evaluate; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, required=True, help="a checkpoint, such as outputs/NAME/checkpoints/best_model.pt"
    )
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--data", help="folder of the dataset; the checkpoint's otherwise")
    parser.add_argument("--device", default="auto", choices=DEVICES, help="auto by default, wherever it was trained")
    parser.add_argument("--show", type=int, default=8, help="predictions to print (default: 8)")
    arguments = parser.parse_args()
    try:
        evaluate(arguments.model, arguments.split, arguments.device, arguments.data, arguments.show)
    except WorkloadError as error:
        exit_with(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
