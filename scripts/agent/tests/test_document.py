"""What a verb is told, and its check."""

import unittest

from base.document import Maybe, Wrong, arguments, parsed


class Documents(unittest.TestCase):
    shape = {"name": str, "most": Maybe(int), "places": [{"at": str}], "variables": {str: str}}

    def test_members_become_arguments_and_unknown_ones_are_left_out(self):
        told = {"name": "a", "places": [{"at": "b", "more": 1}], "variables": {"X": "1"}, "later": True}
        expected = {"name": "a", "most": None, "places": [{"at": "b"}], "variables": {"X": "1"}}
        self.assertEqual(arguments(told, self.shape), expected)
        self.assertEqual(arguments({"fileSystem": "x"}, {"fileSystem": str}), {"file_system": "x"})

    def test_what_is_wrong_is_named(self):
        right = {"name": "a", "places": [], "variables": {}}
        cases = [
            ([], "it must be an object"),
            ({}, "name is missing"),
            ({**right, "name": 1}, "name must be a text"),
            ({**right, "most": True}, "most must be a whole number"),
            ({**right, "places": [{"at": "x"}, {}]}, r"places\[1\].at is missing"),
            ({**right, "variables": {"X": None}}, "variables.X must be a text"),
        ]
        for told, wrong in cases:
            with self.subTest(wrong), self.assertRaisesRegex(Wrong, wrong):
                arguments(told, self.shape)

    def test_a_document_in_a_command_line_is_json_or_hex(self):
        self.assertEqual(parsed('{"a": 1}'), {"a": 1})
        self.assertEqual(parsed('{"a": "ü"}'.encode().hex()), {"a": "ü"})
