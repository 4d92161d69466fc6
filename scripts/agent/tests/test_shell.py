"""Variables and commands of the user."""

import os
import subprocess
import unittest
from unittest import mock

from base.shell import environment_with, export_lines, strict, with_environment
from run.early import variables_of
from run.evaluate import filled


def said_by(words, variables):
    return subprocess.run(words, env=environment_with(variables), stdout=subprocess.PIPE, check=False).stdout.decode()


class Variables(unittest.TestCase):
    def test_have_their_text_as_written_and_add_to_themselves_alone(self):
        variables = {"TOKEN": "a'b\"c\n$d `e`", "LIST": "x$LIST:${LIST}", "OTHER": "$LISTS $LIST", "EMPTY": ""}
        with mock.patch.dict(os.environ, {"LIST": "old"}):
            said = said_by(with_environment(["bash", "-c", 'printf "%s|" "$TOKEN" "$LIST" "$OTHER" "$EMPTY"']), variables)
        self.assertEqual(said, f"{variables['TOKEN']}|xold:old|$LISTS $LIST||")

    def test_are_in_no_command_line_and_leave_nothing_behind(self):
        words = with_environment(["bash", "-c", "env | grep -c LAMBDA_TRAIN_VARIABLES; true"])
        self.assertEqual(said_by(words, {"TOKEN": "secret"}), "0\n")
        self.assertNotIn("secret", " ".join(words))

    def test_of_an_earlier_release_are_read_as_they_were_given(self):
        variables = {"TOKEN": "it's", "PATH": "/opt/x:${PATH}", "LINES": "a\nb"}
        self.assertEqual(variables_of(export_lines(variables)), variables)

    def test_names_that_a_shell_would_not_take_are_refused(self):
        with self.assertRaisesRegex(OSError, "not a name of an environment variable"):
            export_lines({"a b": "x"})


class Commands(unittest.TestCase):
    def test_fail_where_a_part_of_a_pipe_fails(self):
        self.assertEqual(subprocess.run(strict("exit 3 | cat"), check=False).returncode, 3)

    def test_get_the_checkpoint_and_keep_variables_of_the_shell(self):
        self.assertEqual(filled("a {checkpoint} ${checkpoint} '{x}'{checkpoint}", "&c"), "a &c ${checkpoint} '{x}'&c")
