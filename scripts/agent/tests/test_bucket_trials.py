import hashlib
import json
import os
import tempfile
import unittest
from unittest import mock

from results.bucket_trials import trials_in
from results.in_bucket import entries_of, folder_of
from sweep.restored import goes_on, places_in
from sweep.trial import own_copies

ENDED = {"number": 1, "exitCode": 0}


class Place:
    """A bucket as far as it is asked: what lies below a folder here."""

    def __init__(self, root):
        self.root, self.hidden = root, set()

    def listing(self, only):
        found = {}
        for above, _, names in os.walk(self.root):
            for name in names:
                path = os.path.relpath(os.path.join(above, name), self.root)
                with open(os.path.join(above, name), "rb") as file:
                    content = file.read()
                if path not in self.hidden:
                    found[path] = (len(content), hashlib.md5(content).hexdigest())
        return found

    def fetch(self, folder, only):
        for path in self.listing(only):
            os.makedirs(os.path.dirname(os.path.join(folder, path)), exist_ok=True)
            with open(os.path.join(self.root, path), "rb") as source, open(os.path.join(folder, path), "wb") as copy:
                copy.write(source.read())


class Trials(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.place = Place(os.path.join(self.folder.name, "there"))
        os.makedirs(self.place.root)

    def put(self, run, start, last, steps=3):
        folder = os.path.join(self.place.root, run, start)
        os.makedirs(os.path.join(folder, "metrics"))
        for path, text in (("best.pt", "abc"), ("metrics/evaluation.json", json.dumps({"error": steps / 10}))):
            with open(os.path.join(folder, path), "w") as file:
                file.write(text)
        lines, _ = entries_of({path: os.path.join(folder, path) for path in ("best.pt", "metrics/evaluation.json")})
        ran = {"experiment": run, "trial": {"values": {"steps": steps}}, "attempts": [last]}
        head = f'{{"createdAt":"now","source":"i:e","run":{json.dumps(ran)},"files":['
        with open(os.path.join(folder, "manifest.json"), "w") as file:
            file.write("\n".join([head, f"{json.dumps(lines[0])},", json.dumps(lines[1]), "]}", ""]))

    def found(self):
        with tempfile.TemporaryDirectory() as folder:
            found = trials_in(self.place, "e", folder, ("error", "metrics/*.json"))
        return [(each["number"], each["reason"], each["values"]["steps"], each["value"]) for each in found]

    def test_are_those_that_have_ended_well_and_are_whole(self):
        self.put("e-t0", "1-a-i", ENDED)
        self.put("e-t1", "1-b-i", {"number": 1, "exitCode": 143, "stopReason": "worker"})
        self.put("e-t2", "1-c-i", {"number": 1, "exitCode": 143, "stopReason": "pruned"}, 5)
        self.put("e-t3", "1-d-i", {"number": 1, "exitCode": 1})
        self.put("e-table", "1-d-i", ENDED)
        self.assertEqual(self.found(), [(0, None, 3, 0.3), (2, "pruned", 5, 0.5)])

    def test_are_none_of_which_an_object_is_missing_or_other(self):
        self.put("e-t0", "1-a-i", ENDED)
        self.put("e-t1", "1-b-i", ENDED)
        self.place.hidden.add("e-t0/1-a-i/best.pt")
        with open(os.path.join(self.place.root, "e-t1/1-b-i/best.pt"), "w") as file:
            file.write("abd")
        self.assertEqual(self.found(), [])

    def test_count_where_another_machine_has_a_part_of_them(self):
        self.put("e-t0", "1-a-one", ENDED)
        self.put("e-t0", "2-a-two", {"number": 2, "exitCode": 143, "stopReason": "moved"})
        self.assertEqual(self.found(), [(0, None, 3, 0.3)])


class Folder(unittest.TestCase):
    def of(self, experiment, instance, facts):
        attempts = []
        for each in facts:
            attempt = mock.Mock()
            attempt.get.side_effect = lambda name, default=None, each=each: each.get(name, default)
            attempt.has.side_effect = lambda name, each=each: each.get(name) is not None
            attempt.asked_hash.return_value = "abcdef012345xyz"
            attempts.append(attempt)
        run = mock.Mock(experiment=experiment)
        run.newest.return_value = attempts[-1]
        with mock.patch("results.in_bucket.own_attempts", return_value=attempts):
            return folder_of(run, instance)

    def test_of_a_run_that_goes_on_elsewhere_stays_the_same(self):
        facts = [{"startedAt": "2026-01-01T00:00:00Z", "restored": True}, {"startedAt": "2026-01-02T00:00:00Z"}]
        self.assertEqual(self.of("e", "11112222", facts), "20260101T000000Z-abcdef012345")

    def test_of_a_trial_is_one_for_each_instance(self):
        before = {"startedAt": "2026-01-01T00:00:00Z", "description": {"sweep": "e"}}
        self.assertEqual(self.of("e-t0", "1111222233", [before]), "20260101T000000Z-abcdef012345-11112222")
        after = {**before, "startedAt": "2026-01-02T00:00:00Z"}
        facts = [{**before, "restored": True}, after]
        self.assertEqual(self.of("e-t0", "3333444455", facts), "20260102T000000Z-abcdef012345-33334444")
        # The sweep's own results, the study among them, are no trial's.
        self.assertEqual(self.of("e", "3333444455", [before]), "20260101T000000Z-abcdef012345")


class PutBack(unittest.TestCase):
    def test_copies_of_a_trial_lie_beside_its_results(self):
        bucket = {"to": "s3://b/s/e/checkpoints", "keep": 1, "bucket": {"url": "s3://b/s/e/checkpoints"}}
        own = own_copies(bucket, 3)
        self.assertEqual((own["to"], own["bucket"]["url"]), ("s3://b/s/e-t3/checkpoints",) * 2)
        self.assertEqual(own_copies({"to": "/lambda/nfs/fs/e", "bucket": None}, 3)["to"], "/lambda/nfs/fs/e-t3")

    def test_nothing_that_had_finished_or_used_up_its_time_goes_on(self):
        self.assertFalse(goes_on({"attempts": []}, None))
        self.assertFalse(goes_on({"attempts": [ENDED]}, None))
        stopped = {"number": 1, "exitCode": 143, "stopReason": "worker", "seconds": 50}
        self.assertTrue(goes_on({"attempts": [stopped]}, None))
        self.assertFalse(goes_on({"attempts": [stopped]}, 50))

    def test_nothing_is_put_back_but_below_the_outputs(self):
        told = {"places": {"outputs": "outputs/e-t0", "beside": ["outputs/x", "../y", "src"]}}
        self.assertEqual(places_in(told, "e-t0", "outputs"), {"outputs": "outputs/e-t0", "beside": ["outputs/x"]})
        for other in ("../x", "/x", "outputs/../src", "outputsx"):
            places = places_in({"places": {"outputs": other}}, "e-t0", "outputs/")
            self.assertEqual(places, {"outputs": "outputs/e-t0", "beside": []})


if __name__ == "__main__":
    unittest.main()
