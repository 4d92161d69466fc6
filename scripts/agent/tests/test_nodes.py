"""What machines of one training tell each other, and what they are told to run."""

import contextlib
import os
import sys
import tempfile
import time
import unittest
from unittest import mock

from base.processes import AGENT
from fleet import link, peer
from nodes import checkpoints, command, ray


class Questions(unittest.TestCase):
    def test_are_those_of_the_table_alone(self):
        self.assertEqual(peer.answer("alive", {}), {"ok": {}})
        self.assertIn("no verb stop", peer.answer("stop", {})["error"])
        self.assertIn("experiment is missing", peer.answer("node-look", {})["error"])

    def test_to_this_machine_need_no_connection(self):
        with mock.patch.object(link, "fleet", return_value={"me": "machine", "machines": {}}):
            self.assertEqual(link.ask("machine", "alive", {}, 1), {})
            with self.assertRaises(link.Refused):
                link.ask("machine", "stop", {}, 1)
            with self.assertRaises(link.Unreachable):
                link.ask("machine-2", "alive", {}, 1)

    def test_go_to_the_address_that_answered_last(self):
        with mock.patch.object(link, "read_json", return_value={"machine-2": "203.0.113.7"}):
            self.assertEqual(link.preferred("machine-2", ["10.19.0.2", "203.0.113.7"]), ["203.0.113.7", "10.19.0.2"])
            self.assertEqual(link.preferred("machine-3", ["10.19.0.3", "203.0.113.8"]), ["10.19.0.3", "203.0.113.8"])

    def test_leave_no_connection_of_theirs_behind(self):
        place = ("machine-2", "10.19.0.2", 22)
        with tempfile.TemporaryDirectory() as folder, mock.patch.object(link, "FOLDER", folder):
            for path in (link.socket_of(*place), link.socket_of("machine-3", "10.19.0.3", 22)):
                with open(path, "w", encoding="utf-8"):
                    pass
            link.connections["used"].add(place)
            ended = mock.Mock(side_effect=lambda words, *_: os.remove(link.socket_of(*place)))
            with mock.patch.object(link, "quietly", ended):
                link.close()
                link.close()
            self.assertEqual(os.listdir(folder), [os.path.basename(link.socket_of("machine-3", "10.19.0.3", 22))])
            self.assertEqual(ended.call_count, 1)
            self.assertEqual(ended.call_args.args[0][-3:-1], ["-O", "exit"])

    def test_fall_back_to_the_next_address(self):
        places = {"machine-2": {"addresses": ["10.19.0.2", "203.0.113.7"], "port": 22, "hostKey": "ssh-ed25519 AAAA"}}
        answers = [(255, b"", "timed out"), (0, b'{"ok": {}}\n', "")]
        with mock.patch.object(link, "fleet", return_value={"me": "machine", "machines": places}), mock.patch.object(
            link, "speak", side_effect=answers
        ) as spoken, mock.patch.object(link, "remember") as remembered:
            self.assertEqual(link.ask("machine-2", "alive", {}, 1), {})
        self.assertEqual([call.args[1] for call in spoken.call_args_list], ["10.19.0.2", "203.0.113.7"])
        remembered.assert_called_once_with("machine-2", "203.0.113.7")

    def test_of_one_conversation_are_answered_by_one_process(self):
        with spoken_with("import os") as asked:
            told = [asked("alive"), asked("alive")]
            self.assertEqual(told, [(0, b'{"ok": {}}\n', "")] * 2)
            self.assertEqual(len(link.conversations.open), 1)
            (first,) = link.conversations.open.values()
            self.assertEqual(first.answers, 2)
            # The other side ends it, as after a while without a question.
            first.process.kill()
            first.process.wait()
            self.assertEqual(asked("alive")[0], 0)
            (second,) = link.conversations.open.values()
            self.assertIsNot(second, first)
        self.assertEqual(link.conversations.open, {})
        self.assertIsNotNone(second.process.returncode)

    def test_without_an_answer_tell_why(self):
        with spoken_with("import sys; sys.exit('Connection refused')") as asked:
            code, _, said = asked("alive")
            self.assertEqual((code, said), (link.NO_CONNECTION, "Connection refused at 10.19.0.2"))
        with spoken_with("import time; time.sleep(60)") as asked:
            began = time.monotonic()
            self.assertEqual(asked("alive", 0.2)[0], link.NO_CONNECTION)
            self.assertLess(time.monotonic() - began, 30)


@contextlib.contextmanager
def spoken_with(before):
    """Calls of another machine's agent, which is one of this machine. `before`: what that does first, as Python."""
    program = f"import sys; sys.path.insert(0, {AGENT!r}); {before}; import runpy; sys.argv = ['agent', 'peer']; "
    words = [sys.executable, "-IS", "-c", f"{program}runpy.run_path({AGENT!r}, run_name='__main__')"]
    with mock.patch.object(link, "ssh", return_value=words), mock.patch.object(link, "quietly"):
        yield lambda verb, timeout=20: link.speak("machine-2", "10.19.0.2", 22, {"verb": verb, "document": {}}, timeout)
        link.close()


class Checkpoints(unittest.TestCase):
    def test_of_many_files_are_one(self):
        units = {
            "checkpoint-500/model.safetensors": "checkpoint-500/",
            "checkpoints/checkpoint-500/optimizer.pt": "checkpoints/checkpoint-500/",
            "global_step100/mp_rank_00_model_states.pt": "global_step100/",
            "checkpoints/epoch=3.ckpt/shard.bin": "checkpoints/epoch=3.ckpt/",
            "checkpoints/last.pt": "checkpoints/last.pt",
        }
        for path, unit in units.items():
            self.assertEqual(checkpoints.unit_of(path), unit)

    def test_that_pass_are_the_newest_ones(self):
        with tempfile.TemporaryDirectory() as folder:
            for number in range(6):
                path = os.path.join(folder, f"epoch_{number}.pt")
                with open(path, "wb") as file:
                    file.write(bytes(2 << 20))
                os.utime(path, (number, number))
            found = [each["path"] for each in checkpoints.newest_in(folder, 0)]
            self.assertEqual(found, ["epoch_5.pt", "epoch_4.pt", "epoch_3.pt"])
            self.assertEqual(checkpoints.newest_in(folder, time.time()), [])


class Commands(unittest.TestCase):
    node = {"rank": 1, "machines": ["machine", "machine-2"], "members": ["a", "b"]}
    place = {"round": "r", "address": "10.19.0.2", "port": 4711}

    def described(self, **more):
        return {"workspace": "/tmp", "directory": ".", "node": self.node, **more}

    def test_run_as_they_are_without_processes(self):
        self.assertEqual(command.words_of(self.described(), "make train", self.place)[-1], "make train")
        self.assertNotIn(command.TORCHRUN, command.words_of(self.described(), "make train", self.place))

    def test_run_under_torchrun_with_ranks_by_machine(self):
        words = command.words_of(self.described(processes="2"), "python3 train.py", self.place)
        told = ["--nnodes=2", "--node_rank=1", "--master_addr=10.19.0.2", "--master_port=4711", "--nproc_per_node=2"]
        self.assertEqual([word for word in words if word in told], told)
        alone = command.words_of({**self.described(processes="auto"), "node": None}, "python3 train.py", None)
        self.assertIn("--standalone", alone)
        self.assertEqual(alone[-1], "python3 train.py")

    def test_learn_their_rank_where_it_is_their_own(self):
        with mock.patch.object(command, "gpus", return_value=1):
            told = command.variables_of(self.described(), self.place)
        self.assertEqual(
            {name: told[name] for name in ("RANK", "WORLD_SIZE", "NODE_RANK", "MASTER_PORT")},
            {"RANK": "1", "WORLD_SIZE": "2", "NODE_RANK": "1", "MASTER_PORT": "4711"},
        )
        with mock.patch.object(command, "gpus", return_value=8):
            told = command.variables_of(self.described(), self.place)
        self.assertEqual(told["NPROC_PER_NODE"], "8")
        self.assertNotIn("RANK", told)
        self.assertNotIn("NODE_RANK", command.variables_of(self.described(processes="2"), self.place))
        # Ray's processes inherit what its node has, and one of them is none of WORLD_SIZE.
        self.assertNotIn("RANK", command.variables_of(self.described(cluster="ray"), self.place))


class Clusters(unittest.TestCase):
    def token(self, key, of_round):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "ray-token")
            with mock.patch.multiple(ray, FOLDER=folder, TOKEN=path), mock.patch.object(
                ray, "own_folder"
            ), mock.patch.object(ray, "fact", return_value=key):
                ray.keep_token(of_round)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            with open(path, encoding="ascii") as file:
                return file.read()

    def test_have_one_token_a_round_that_takes_the_fleets_key(self):
        self.assertEqual(self.token("key", "round 1"), self.token("key", "round 1"))
        self.assertNotEqual(self.token("key", "round 1"), self.token("key", "round 2"))
        self.assertNotEqual(self.token("key", "round 1"), self.token("other key", "round 1"))
        self.assertNotEqual(self.token("", None), self.token("", None))

    def followed(self, answers, led, is_told=False):
        """The status of a worker whose head answers so, and whether its part of Ray has ended."""
        with mock.patch.object(ray.signal, "signal"):
            node = ray.Node(mock.Mock(), "python3", "10.19.0.2:4711")
        self.addCleanup(node.close)
        node.words = lambda *_: ["sleep", "60"]
        asked = iter(answers)
        with mock.patch.multiple(
            ray,
            PAUSE=0.01,
            listens=lambda *_: next(asked, False),
            own_address_towards=lambda _: None,
            has_led_to_the_end=mock.Mock(side_effect=lambda _: setattr(node, "is_told", is_told) or led),
        ):
            code = node.follow(self.place)
        return code, node.ray.poll() is not None

    place = Commands.place

    def test_end_on_a_worker_with_the_head_and_well_where_that_has(self):
        self.assertEqual(self.followed([True, True, False, True, False, False, False], led=True), (0, True))
        self.assertEqual(self.followed([True, True], led=False, is_told=True), (ray.STOPPED, True))


if __name__ == "__main__":
    unittest.main()
