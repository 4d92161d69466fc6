from __future__ import annotations

import tempfile
import unittest
from dataclasses import asdict, replace
from pathlib import Path

import yaml

from hmer_ink.config import Config, differences, dump_config, load_config, parse_config
from hmer_ink.errors import WorkloadError

from .support import ROOT


class ConfigTest(unittest.TestCase):
    def test_every_config_of_the_repository_is_valid(self) -> None:
        names = sorted(path.name for path in (ROOT / "configs").glob("*.yaml"))
        self.assertEqual(names, ["default.yaml", "lambda.yaml", "smoke.yaml"])
        for name in names:
            load_config(ROOT / "configs" / name)
        wanted = load_config(ROOT / "configs" / "lambda.yaml")
        self.assertEqual((wanted.device, wanted.use_wandb), ("cuda", True))

    def test_all_problems_are_reported_together(self) -> None:
        values = {"device": "tpu", "seed": -1, "training": {"epochs": 0, "batch_size": 8}}
        with self.assertRaises(WorkloadError) as caught:
            parse_config(values)
        for part in (
            "device is 'tpu'; allowed: auto, cpu, cuda",
            "seed can't be negative",
            "training.epochs has to be",
        ):
            self.assertIn(part, str(caught.exception))
        with self.assertRaises(WorkloadError) as caught:
            parse_config({"epochs": 3, "model": {"channels": "many", "dropout": True}, "data": []})
        for part in ("epochs is not known", "model.channels has to be of type int", "model.dropout", "data has to be"):
            self.assertIn(part, str(caught.exception))

    def test_an_experiment_is_one_folder(self) -> None:
        for name in ("", "a/b", "..", ".hidden"):
            with self.assertRaisesRegex(WorkloadError, "experiment is"):
                parse_config({"experiment": name})

    def test_overrides(self) -> None:
        path = ROOT / "configs" / "default.yaml"
        config = load_config(path, "mine", ["training.epochs=2", "training.learning_rate=1", "use_wandb=true"])
        self.assertEqual((config.experiment, config.training.epochs, config.use_wandb), ("mine", 2, True))
        self.assertEqual(config.training.learning_rate, 1.0)
        exponent = load_config(path, None, ["training.learning_rate=3e-4"])
        self.assertEqual(exponent.training.learning_rate, 0.0003)
        for bad in ("epochs", "seed.x=1", "training.epoch=2"):
            with self.assertRaises(WorkloadError):
                load_config(path, None, [bad])

    def test_unreadable_files_are_named(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "c.yaml"
            for text in ("a: [", "- 1"):
                path.write_text(text, encoding="utf-8")
                with self.assertRaisesRegex(WorkloadError, "c.yaml"):
                    load_config(path)
            path.write_text("", encoding="utf-8")
            self.assertEqual(load_config(path), Config())
            with self.assertRaisesRegex(WorkloadError, "can't read the config"):
                load_config(Path(folder) / "none.yaml")

    def test_written_and_read_back(self) -> None:
        config = load_config(ROOT / "configs" / "lambda.yaml")
        self.assertEqual(parse_config(yaml.safe_load(dump_config(config))), config)

    def test_differences_that_matter_to_a_resumed_run(self) -> None:
        config = Config()
        free = replace(config, device="cpu", training=replace(config.training, epochs=99, log_every_steps=1))
        self.assertEqual(differences(asdict(config), free), [])
        other = replace(config, seed=1, model=replace(config.model, channels=8))
        self.assertEqual(differences(asdict(config), other), ["seed: 0 -> 1", "model.channels: 96 -> 8"])
