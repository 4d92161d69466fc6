import os
import unittest
from unittest import mock

from base.shell import environment_with
from container.client import client

SETTINGS = {"docker": "/usr/bin/docker", "image": "sha256:1", "user": "1000:1000", "accounts": "/a"}


def told(variables):
    with mock.patch.dict(os.environ, variables, clear=True):
        return client(SETTINGS, ["bash", "-c", "true"])


class Client(unittest.TestCase):
    def names(self, words):
        return {words[at + 1] for at, word in enumerate(words) if word == "--env"}

    def test_passes_what_the_agent_sets_by_name(self):
        with mock.patch.dict(os.environ, {"HOME": "/home/u", "PATH": "/usr/bin", "LAMBDA_TRAIN_STEP": "s"}, clear=True):
            variables = environment_with({"SECRET": "v"}, MASTER_ADDR="10.0.0.9", JUPYTER_TOKEN="t0ken", TMUX_TMPDIR="/x")
        words, environment = told({**variables, "https_proxy": "http://p", "LD_LIBRARY_PATH": "/host", "SSH_CLIENT": "c"})
        names = self.names(words)
        here = {"MASTER_ADDR", "JUPYTER_TOKEN", "LAMBDA_TRAIN_STEP", "LAMBDA_TRAIN_VARIABLES", "MAKEFILES", "https_proxy"}
        self.assertLessEqual(here, names)
        self.assertFalse(names & {"PATH", "LD_LIBRARY_PATH", "SSH_CLIENT", "TMUX_TMPDIR", "LAMBDA_TRAIN_PASSED"})
        self.assertEqual(environment["JUPYTER_TOKEN"], "t0ken")
        self.assertFalse([word for word in words if "t0ken" in word or "10.0.0.9" in word])

    def test_runs_the_words_as_they_are(self):
        words, _ = told({"HOME": "/home/u", "PATH": "/usr/bin"})
        self.assertEqual(words[-5:], ["--entrypoint", "bash", "sha256:1", "-c", "true"])
        self.assertNotIn("--tty", words)


if __name__ == "__main__":
    unittest.main()
