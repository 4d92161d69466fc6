import unittest

from run.configuration import goes_on, is_same, own_attempts, since
from run.facts import Facts


class Attempt(Facts):
    def __init__(self, number, **facts):
        self.number, self.facts = number, facts

    def get(self, name, default=None):
        value = self.facts.get(name)
        return default if value is None else value


class Run:
    def __init__(self, *attempts, **document):
        self.known, self.known_document = [Attempt(at + 1, **facts) for at, facts in enumerate(attempts)], document

    def attempts(self):
        return self.known

    def newest(self):
        return self.known[-1] if self.known else None

    def number(self):
        return len(self.known)

    def document(self):
        return self.known_document


A, B = {"hash": "a", "mark": 1}, {"hash": "b", "mark": 2}
DONE = {"hash": "a", "exit": 0}


class Configurations(unittest.TestCase):
    def test_are_the_same_by_settings_and_by_what_they_stand_on(self):
        attempt = Attempt(1, hash="a", stands="s")
        self.assertTrue(is_same(attempt, "a", "s"))
        self.assertFalse(is_same(attempt, "a", "t"))
        self.assertFalse(is_same(attempt, "b", "s"))

    def test_of_an_earlier_release_are_the_same_by_what_it_noted(self):
        self.assertTrue(is_same(Attempt(1, hash="a"), "a", "s"))
        self.assertTrue(is_same(Attempt(1), "a", "s"))

    def test_have_the_attempts_up_to_another_one(self):
        run = Run(A, B, {**A, "mark": 3}, {**A, "mark": 4})
        self.assertEqual([each.number for each in own_attempts(run)], [3, 4])
        self.assertEqual(own_attempts(run, "b"), [])
        self.assertEqual(since(run), 3)

    def test_began_at_any_time_where_there_was_no_other(self):
        self.assertEqual(since(Run(A, A)), 0)

    def test_that_have_not_begun_have_written_nothing(self):
        self.assertGreater(since(Run(A, {"hash": "b"})), 10**18)

    def test_go_on_from_what_has_not_finished(self):
        for end in ({"exit": 1}, {}, {"exit": 0, "stopReason": "user"}, {"exit": 0, "detached": ["x"]}):
            self.assertTrue(goes_on(Run({"hash": "a", **end}), "b"), end)
        self.assertTrue(goes_on(Run(DONE), "a"))
        self.assertFalse(goes_on(Run(DONE), "b"))

    def test_go_on_from_what_has_finished_where_just_they_were_asked_to(self):
        asked = {"goOn": {"attempt": 1, "hash": "b"}}
        self.assertTrue(goes_on(Run(DONE, **asked), "b"))
        self.assertFalse(goes_on(Run(DONE, **asked), "c"))
        self.assertFalse(goes_on(Run(A, DONE, **asked), "b"))


if __name__ == "__main__":
    unittest.main()
