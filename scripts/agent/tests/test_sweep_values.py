"""How a trial's values are written."""

import json
import unittest

from sweep.slots import slots_of
from sweep.values import MARK, in_command, in_config, in_variables, key_of, parsed, shown


class Values(unittest.TestCase):
    def test_in_a_command_are_words_of_the_shell(self):
        values = {"lr": 1e-05, "name": "a b; rm -rf", "on": True, "none": None, "experiment": "exp-t1"}
        command = in_command("x {experiment} --lr {lr} {name} {on} {none} ${lr} {other} '{lr}'", values)
        self.assertEqual(command, "x exp-t1 --lr 1e-05 'a b; rm -rf' true null ${lr} {other} '1e-05'")

    def test_in_variables_are_text(self):
        self.assertEqual(
            in_variables({"A": "{x} and {y}", "B": "${x}"}, {"x": "it's", "y": 0.5}), {"A": "it's and 0.5", "B": "${x}"}
        )

    def test_keep_what_javascript_does_not_tell_apart(self):
        self.assertEqual(
            repr(parsed({"a": "1.0", "b": "1", "c": '"1"', "d": "1e-5"})), "{'a': 1.0, 'b': 1, 'c': '1', 'd': 1e-05}"
        )
        self.assertEqual(key_of({"a": [1.0, 0.5]}), key_of({"a": [1, 0.5]}))
        self.assertNotEqual(key_of({"a": "1"}), key_of({"a": 1}))
        self.assertEqual(key_of({"a": 1, "b": 2}), key_of({"b": 2, "a": 1}))
        self.assertEqual(shown({"lr": 0.1, "b": "x"}), "b=x, lr=0.1")

    def test_in_yaml_are_what_every_reader_takes_them_for(self):
        for value, text in (
            (1e-05, "1.0e-05"),
            (2.5e20, "2.5e+20"),
            (0.1, "0.1"),
            (1.0, "1.0"),
            (3, "3"),
            (float("inf"), ".inf"),
            (float("-inf"), "-.inf"),
            (float("nan"), ".nan"),
            (True, "true"),
            (None, "null"),
            ("on", '"on"'),
            ("a: b # c", '"a: b # c"'),
            ([1e-05, "x"], '[1.0e-05, "x"]'),
            ({"a": 1e-05}, '{"a": 1.0e-05}'),
        ):
            with self.subTest(value=value):
                template = f"a: {MARK.format('lr')}  # why\nb: [{MARK.format('lr')}]\n"
                self.assertEqual(in_config(template, {"lr": value}, False), f"a: {text}  # why\nb: [{text}]\n")

    def test_in_json_are_json(self):
        template = json.dumps({"a": MARK.format("lr"), "b": [MARK.format("name")], "c": "lr"})
        text = in_config(template, {"lr": 1e-05, "name": 'x "y"', "l": 9}, True)
        self.assertEqual(json.loads(text), {"a": 1e-05, "b": ['x "y"'], "c": "lr"})

    def test_of_one_name_are_not_put_where_another_begins_so(self):
        template = f"a: {MARK.format('lr')}\nb: {MARK.format('lr.decay')}\n"
        self.assertEqual(in_config(template, {"lr": 1, "lr.decay": 2}, False), "a: 1\nb: 2\n")


class Slots(unittest.TestCase):
    def test_share_the_gpus(self):
        self.assertEqual(slots_of({}, 8), [None])
        self.assertEqual(slots_of({"gpusPerRun": 2}, 8), ["0,1", "2,3", "4,5", "6,7"])
        self.assertEqual(slots_of({"gpusPerRun": 3}, 8), ["0,1,2", "3,4,5"])
        self.assertEqual(slots_of({"gpusPerRun": 8}, 8), [None])
        self.assertEqual(slots_of({"gpusPerRun": 1}, 0), [None])
        self.assertEqual(slots_of({"runsPerMachine": 4}, 8), ["0,1", "2,3", "4,5", "6,7"])
        self.assertEqual(slots_of({"runsPerMachine": 3}, 2), ["0", "1", "0"])
        self.assertEqual(slots_of({"runsPerMachine": 3}, 0), [None, None, None])
