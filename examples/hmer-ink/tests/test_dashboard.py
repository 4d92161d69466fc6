from __future__ import annotations

import json
import os
import re
import threading
import urllib.error
import urllib.request
import xml.etree.ElementTree as ElementTree

from hmer_ink.dashboard.chart import line_chart
from hmer_ink.dashboard.server import make_server

from .support import WorkloadTest

ENTRY = {"valid_loss": 1.0, "valid_token_error_rate": 0.5, "valid_expression_accuracy": 0.25}
TRAIN = {"status": "running", "epochs": 4, "device": "cpu", "processes": 1, "train_expressions": 9}


class DashboardTest(WorkloadTest):
    def setUp(self) -> None:
        super().setUp()
        server = make_server("127.0.0.1", 0, self.outputs)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        self.addCleanup(server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def get(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(self.url + path, timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def make_experiment(self, name: str, log: str, age: float = 0.0) -> None:
        folder = self.outputs / name
        for part in ("logs", "metrics", "checkpoints"):
            (folder / part).mkdir(parents=True)
        (folder / "metrics/train.json").write_text(json.dumps(TRAIN), encoding="utf-8")
        history = [{"epoch": n, "train_loss": 2.0 / n, **ENTRY} for n in (1, 2, 3)]
        (folder / "metrics/history.json").write_text(json.dumps(history), encoding="utf-8")
        (folder / "checkpoints/last.pt").touch()
        path = folder / "logs/train.log"
        path.write_text(log, encoding="utf-8")
        os.utime(path, (path.stat().st_mtime - age,) * 2)

    def test_before_the_first_experiment(self) -> None:
        self.assertIn("No experiments yet", self.get("/")[1])
        self.assertEqual(json.loads(self.get("/api")[1]), {"experiments": []})

    def test_page_and_api(self) -> None:
        self.make_experiment("first", "old\n", age=600)
        self.make_experiment("second", "<b>step 1</b>\n" + "x" * 30 + "\n")
        status, page = self.get("/")
        self.assertEqual(status, 200)
        self.assertIn("<h1>second</h1>", page)
        self.assertIn("&lt;b&gt;step 1&lt;/b&gt;", page)
        self.assertNotIn("<b>step", page)
        self.assertIn("is it still alive?", self.get("/?experiment=first")[1])
        value = json.loads(self.get("/api?experiment=second")[1])
        self.assertEqual((value["status"], len(value["history"]), value["checkpoints"]), ("running", 3, ["last.pt"]))
        for svg in re.findall(r"<svg.*?</svg>", page):
            ElementTree.fromstring(svg)
        self.assertEqual(page.count("<svg"), 2)

    def test_only_experiments_can_be_asked_for(self) -> None:
        self.make_experiment("first", "x\n")
        for path in (
            "/?experiment=..",
            "/?experiment=../outputs/first",
            "/api?experiment=none",
            "/../../etc/passwd",
            "/x",
        ):
            self.assertEqual(self.get(path)[0], 404, path)

    def test_nothing_comes_from_elsewhere(self) -> None:
        self.make_experiment("first", "x\n")
        everything = "".join(self.get(path)[1] for path in ("/", "/style.css", "/refresh.js"))
        self.assertEqual(re.findall(r"https?://|//[a-z]+\.", everything), [])

    def test_charts_of_odd_values(self) -> None:
        for series in ([("a", [1.0])], [("a", [0.0, 0.0])], [("a", [3.0, 3.0]), ("b", [1e-9, 1e9])]):
            for logarithmic in (False, True):
                chart = line_chart('a "title" <', series, logarithmic)
                self.assertNotRegex(chart, "nan|inf")
                ElementTree.fromstring(chart)
        self.assertIn("after the first epoch", line_chart("t", [("a", [])]))
