"""The files of loggers; test/cli/curves/logged.test.ts reads those of the real libraries."""

import json
import os
import tempfile
import unittest
import unittest.mock

from curves.join import joined
from curves.points import MOST, Curves, Points
from results.beside import beside_of, keep_beside
from results.metric_files import candidates
from run.state import Run
from sweep.tables import TabledMetric


def curves(name, points, began=None, purged=None):
    found = Curves()
    found.purged = purged
    for x, y in points:
        found.add(name, x, y, None if began is None else began + x)
    return found


class Curve(unittest.TestCase):
    def test_keeps_few_points_of_many_and_the_newest(self):
        points = Points()
        for x in range(10_000):
            points.add(x, x / 2)
        xs, ys = points.told()
        self.assertLess(len(xs), MOST + 1)
        self.assertEqual((xs[0], xs[-1], ys[-1]), (0, 9999, 4999.5))
        regular, _ = points.told(whole=False)
        self.assertEqual({x % 8 for x in regular}, {0})

    def test_goes_on_from_where_its_counter_goes_back_to(self):
        points = Points()
        for x in [1, 2, 3, 4, 2, 3]:
            points.add(x, float(len(points.xs)))
        self.assertEqual(points.told()[0], [1, 2, 3])

    def test_counts_a_row_by_its_own_step(self):
        found = Curves()
        found.add_row({"train/loss": 0.5, "trainer/global_step": 40.0, "epoch": 2.0, "_runtime": 3.0}, 7, None)
        self.assertEqual({name: points.told() for name, points in found.points.items()}, {"train/loss": ([40], [0.5])})
        self.assertEqual(found.epoch, 2)

    def test_has_a_name_that_can_be_shown(self):
        found = Curves()
        for name in ("", "loss\x1b[2J", "x" * 300, "loss"):
            found.add(name, 1, 1.0, None)
        self.assertEqual(list(found.points), ["loss"])


class Files(unittest.TestCase):
    def test_of_a_restart_are_one_curve(self):
        first, later = curves("loss", [(0, 1.0), (1, 0.9), (2, 0.8)], 100), curves("loss", [(1, 0.5), (2, 0.4)], 200)
        for names in (("run/a", "run/b"), ("version_0/a", "version_1/b")):
            self.assertEqual(joined(zip(names, (first, later))), {"loss": ([0, 1, 2], [1.0, 0.5, 0.4])})

    def test_purge_what_a_restart_has_not_reached_again(self):
        first, later = curves("loss", [(0, 1.0), (8, 0.8)], 100), curves("acc", [(5, 0.5)], 200, purged=5)
        self.assertEqual(joined([("a", first), ("b", later)])["loss"], ([0], [1.0]))

    def test_of_several_trainings_at_once_have_their_folders_names(self):
        points = [(0, 1.0), (9, 0.5)]
        found = joined([("r/one/a", curves("loss", points, 100)), ("r/two/a", curves("loss", points, 101))])
        self.assertEqual(sorted(found), ["one/loss", "two/loss"])

    def test_of_add_scalars_have_what_it_was_given(self):
        of = [
            ("r/all_loss_train/a", curves("all/loss", [(0, 1.0)], 1)),
            ("r/all_loss_val/a", curves("all/loss", [(0, 2.0)], 1)),
        ]
        self.assertEqual(sorted(joined(of)), ["train/all/loss", "val/all/loss"])


class Sweeps(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def test_read_the_metric_in_files_of_mlflow_of_this_start(self):
        metrics = os.path.join(self.folder, "mlruns", "0", "0" * 32, "metrics", "eval")
        os.makedirs(metrics)
        with open(os.path.join(metrics, "acc"), "w", encoding="utf-8") as file:
            file.write("1700000000000 0.5 1\n1700000001000 0.75 2\n1700000002000 0.")
        points = [("step", 1.0, 0.5), ("step", 2.0, 0.75)]
        self.assertEqual(TabledMetric("eval/acc", 0).points(self.folder), points)
        later = os.stat(os.path.join(metrics, "acc")).st_mtime_ns + 10**9
        self.assertEqual(TabledMetric("eval/acc", later).points(self.folder), [])

    def test_read_no_pipe_and_no_device_that_is_called_as_a_file_of_metrics(self):
        for name in ("metrics.json", "events.out.tfevents.1", "run-a.wandb"):
            os.mkfifo(os.path.join(self.folder, name))
        for name in ("zero.json", "events.out.tfevents.2"):
            os.symlink("/dev/zero", os.path.join(self.folder, name))
        self.assertEqual(candidates(self.folder), ([], []))

    def test_take_from_beside_the_outputs_what_has_a_trials_name_where_others_run(self):
        run, other = Run("swept-t1"), Run("swept-t2")
        for each in (run, other):
            each.path = lambda *names, at=each.experiment: os.path.join(self.folder, at, *names)
            os.makedirs(each.path())
        names = [
            "/w/runs/swept-t1/events.tfevents.1",
            "/w/runs/swept-t10/events.tfevents.1",
            "/w/runs/x/events.tfevents.1",
            "/w/config.json",
        ]
        keep_beside(run, [(f"beside{name}", name) for name in names])
        self.assertEqual(sorted(beside_of(run)), sorted(names[:3]))
        facts = {"description": {"sweep": "swept"}, "mark": 1}
        for each in (run, other):
            with open(each.path("state.json"), "w", encoding="utf-8") as file:
                json.dump({"version": 1, "attempt": 1, "attempts": {"1": facts}}, file)
        with unittest.mock.patch("results.beside.runs", lambda: [run, other]):
            self.assertEqual(list(beside_of(run)), names[:1])


if __name__ == "__main__":
    unittest.main()
