from __future__ import annotations

import os
import sys
import unittest
from types import SimpleNamespace
from unittest import mock

from hmer_ink.config import Config
from hmer_ink.tracking import start_tracking

WANTED = Config(use_wandb=True)


class TrackingTest(unittest.TestCase):
    """With a stand-in for the package wandb: what matters is what becomes of the run."""

    def setUp(self) -> None:
        self.tracked = mock.Mock()
        self.init = mock.Mock(return_value=self.tracked)
        env = {key: value for key, value in os.environ.items() if not key.startswith("WANDB_")}
        package = mock.patch.dict(sys.modules, {"wandb": SimpleNamespace(init=self.init)})
        for patch in (package, mock.patch.dict(os.environ, env, clear=True)):
            patch.start()
            self.addCleanup(patch.stop)

    def mode(self, **env: str) -> str:
        with mock.patch.dict(os.environ, env):
            start_tracking(WANTED).log({"loss": 1.0}, 3)
        return self.init.call_args.kwargs["mode"]

    def test_offline_unless_there_is_a_key_or_a_wish(self) -> None:
        self.assertEqual(self.mode(), "offline")
        self.assertEqual(self.mode(WANDB_API_KEY="k"), "online")
        self.assertEqual(self.mode(WANDB_API_KEY="k", WANDB_MODE="offline"), "offline")
        self.tracked.log.assert_called_with({"loss": 1.0}, step=3)

    def test_not_wanted_or_disabled(self) -> None:
        start_tracking(Config()).log({}, 1)
        with mock.patch.dict(os.environ, {"WANDB_MODE": "disabled"}):
            start_tracking(WANTED).log({}, 1)
        self.init.assert_not_called()

    def test_its_failures_never_reach_the_training(self) -> None:
        self.tracked.log.side_effect = OSError("network")
        with self.assertLogs("hmer_ink.tracking", "WARNING"):
            tracker = start_tracking(WANTED)
            tracker.log({}, 1)
        tracker.log({}, 2)
        tracker.finish()
        self.assertEqual(self.tracked.log.call_count, 1)
        self.init.side_effect = RuntimeError("wrong key")
        with self.assertLogs("hmer_ink.tracking", "WARNING"):
            start_tracking(WANTED).log({}, 1)
