"""Sees one attempt of an experiment to its end: training, then evaluation. Runs in a tmux session of its own."""

import calendar
import os
import shlex
import signal
import subprocess
import time

from base.document import Maybe, takes
from base.files import clock_ahead, moment, now
from base.pidfd import Waiter
from base.processes import key_of, own_command, pid_in, send, start_detached
from base.secrets import TAIL, cover, hide
from base.shell import workplace
from nodes.watch import Others
from run.activity import Activity
from run.configuration import since
from run.leftovers import Work, left_of
from run.log import Steps, Times, beginning, error_at_end, size_of, tells_of_a_kill
from run.looks import Copies, Looks, look_elsewhere
from run.output import find_output, has_left_nothing, outputs_of, was_written_since
from run.processes import Processes
from run.resume import Resume, put_aside
from run.scope import scoped
from run.secrets import forget_unless_needed, note_held
from run.standing import evaluates_itself, wanted_evaluation
from run.state import Run
from run.writers import Writers

# Seconds between two looks, and between two notes of what is known.
TICK = 0.3
NOTES = 10
# The first step of a quick training is waited for.
EARLY_TICK, EARLY = 0.1, 5


@takes(experiment=str, adopt=Maybe(bool))
def supervise(experiment, adopt):
    """
    `adopt`: take up an attempt whose supervisor was killed: training goes on, or has ended meanwhile, which its launcher
    has written down.
    """
    Supervisor(Run(experiment).newest()).see_to_the_end(adopt)


class Supervisor:
    def __init__(self, attempt):
        self.attempt, self.run = attempt, attempt.run
        self.described = attempt.get("description")
        self.grace = self.described["grace"]
        self.processes = Processes(attempt)
        self.times = Times(self.run)
        self.work = Work(self.processes)
        self.copies = Copies(self.run.experiment, self.described.get("sync"))
        self.going_down = self.interrupted = self.has_told_of_work = False
        self.others = None
        # Bytes of the log in which no secret is left.
        self.covered = 0

    def see_to_the_end(self, adopt):
        self.listen()
        self.attempt.put(supervisor=key_of(os.getpid()))
        # The log is its user's alone, whoever writes to it first.
        os.close(os.open(self.run.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        self.began = time.monotonic()
        if adopt:
            self.take_up()
        else:
            self.launch()
        viewer = self.view()
        self.train()
        code = self.end_of_training()
        if code is not None:
            self.close(code)
            self.evaluate()
            self.covered = cover(self.run.log, self.covered)
            if not self.attempt.has("evaluationExit"):
                note_held(self.attempt)
            self.keep_in_bucket()
            forget_unless_needed()
            viewer.terminate()

    def keep_in_bucket(self):
        """Nothing writes any more. Where it fails, whoever ends the instance tries anew; the log stays as it was copied."""
        if self.described.get("bucket") is not None:
            words = own_command("bucket-keep-now", experiment=self.run.experiment)
            subprocess.run(
                words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
            )

    def listen(self):
        # The session may be closed, the run goes on. Ctrl-C in it is a wish to stop.
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGINT, lambda *_: setattr(self, "interrupted", True))
        # TERM comes when the machine goes down, and to training too. That is no end of the run: without a status the next
        # `up` starts another attempt, however training takes it.
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "going_down", True))

    def take_up(self):
        self.begins = beginning(self.attempt)
        self.covered = max(0, self.begins - TAIL)
        end = self.attempt.get("trainingEnd")
        started = calendar.timegm(time.strptime(self.attempt.get("startedAt"), "%Y-%m-%dT%H:%M:%SZ"))
        self.began -= max(0, (end["at"] if end else time.time()) - started)
        self.run.note(
            f"=== lambda-train: attempt {self.attempt.number} is supervised again, {now()}; its supervisor had been killed"
        )
        self.run.tell("supervised again", attempt=self.attempt.number)
        self.activity = Activity(self.run.log, self.begins)
        self.activity.take_up(self.attempt.get("activeAt"))

    def launch(self):
        command, checkpoint = self.described["command"], self.checkpoint()
        if checkpoint is not None and self.described["resume"]["command"]:
            relative = os.path.relpath(checkpoint, os.path.realpath(workplace(self.described)))
            command = self.described["resume"]["command"].replace("{checkpoint}", shlex.quote(relative))
        self.begins = size_of(self.run.log)
        self.covered = max(0, self.begins - TAIL)
        self.activity = Activity(self.run.log, self.begins)
        itself = checkpoint and not self.described["resume"]["command"]
        how = "resumes by itself, newest checkpoint" if itself else "resumes from"
        resumes = f", {how} {checkpoint}" if checkpoint else ""
        if checkpoint and not was_written_since(checkpoint, since(self.run)):
            resumes += ", which other settings wrote"
        self.run.note(
            f"=== lambda-train: {self.run.experiment}, attempt {self.attempt.number}, started {now()}{resumes}: "
            + command.replace("\n", "; ")
        )
        mark = moment()
        self.attempt.put(mark=mark, logStart=self.begins, command=command, resumedFrom=checkpoint)
        words = own_command("launch", experiment=self.run.experiment, command=command)
        launcher = start_detached(scoped(f"{self.run.experiment}-{self.attempt.number}", words), self.run.log)
        self.attempt.put(launcher=key_of(launcher.pid))

    def checkpoint(self):
        """From which checkpoint this attempt resumes, or None. Those that are damaged are told."""
        if self.attempt.number == 1:
            return None
        found = Resume(self.attempt, deep=True)
        for path, damage in found.damaged:
            aside = ""
            # What resumes by itself would take it. Where nothing is whole, training may know better.
            if found.path is not None and not self.described["resume"]["command"]:
                try:
                    aside = f" It is now {os.path.basename(put_aside(path))}."
                except OSError as error:
                    aside = f" It could not be renamed: {error.strerror}."
            self.run.note(f"=== lambda-train: passed over the checkpoint {path}: {damage}.{aside}")
            self.run.tell("checkpoint passed over", attempt=self.attempt.number, reason=os.path.basename(path))
        return found.path

    def view(self):
        """Shows the log in the session."""
        words = ["tail", "-n", "20", "-F", f"--pid={os.getpid()}", self.run.log]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def seconds(self):
        return int(time.monotonic() - self.began)

    def train(self):
        """Watches over training until it has ended, or is to end."""
        attempt = self.attempt
        steps = Steps(self.run.log, self.begins, self.described.get("firstStepPattern"))
        noted = float("-inf")
        looks, writers = Looks(self.run.experiment), Writers(self.run, self.processes)
        self.others = Others(attempt) if self.described.get("node") else None
        launcher = attempt.get("launcher")
        waiter = Waiter(pid_in(launcher)) if attempt.lives("launcher") else None
        while self.processes.train() or self.work_goes_on(steps):
            self.cover()
            if not attempt.has("firstStep") and self.find_first_step(steps):
                noted = float("-inf")
            self.activity.look()
            self.times.note(self.activity.size)
            writers.look()
            self.copies.look()
            if time.monotonic() - noted >= NOTES:
                noted = time.monotonic()
                # Known before the end: the machine may go down, or its results be wanted while it trains. A disk that
                # stays full does not end the supervision.
                attempt.try_put(seconds=self.seconds(), activeAt=int(time.time() - self.activity.seconds()))
                find_output(attempt)
                looks.look()
            request = attempt.get("stopRequest", {})
            reason = request.get("reason") or ("interrupt" if self.interrupted else self.reached_limit())
            reason = reason or (self.others and self.others.reason)
            if reason is not None:
                self.stop(reason, request.get("grace", self.grace))
                break
            if self.going_down:
                break
            tick = EARLY_TICK if self.seconds() < EARLY and not attempt.has("firstStep") else TICK
            if waiter is not None and attempt.lives("launcher"):
                waiter.wait(tick)
            else:
                time.sleep(tick)

    def cover(self):
        """Hides the secrets in what has come to the log since the last time."""
        if size_of(self.run.log) > self.covered:
            self.covered = cover(self.run.log, self.covered)

    def work_goes_on(self, steps):
        """
        Whether training's command has ended well after its first step, and what it started still works, as an upload of the
        model or an evaluation in the background: the run is over when nothing of it is left.
        """
        end = self.attempt.get("trainingEnd")
        if not end or end["code"] != 0 or self.going_down or not steps.before(end["size"]):
            return False
        commands = self.work.goes_on()
        if commands and not self.has_told_of_work:
            self.has_told_of_work = True
            self.run.note(
                "=== lambda-train: the training command ended with status 0; the run goes on until what it started has "
                f"done its work: {'; '.join(commands)}"
            )
        return bool(commands)

    def find_first_step(self, steps, ended=False):
        line, at = steps.new(ended), now()
        if line is None and self.others and self.others.first_step:
            # Most trainings on several machines log on one of them alone.
            at, line = self.others.first_step
        if line is None:
            return False
        self.attempt.try_put(firstStep=at, firstStepLine=hide(line))
        self.run.tell("first step", attempt=self.attempt.number)
        return True

    def reached_limit(self):
        """The stop reason where a limit is reached; they may change at any time."""
        limits = self.attempt.get("limits", {})
        deadline, most, idle = limits.get("deadline"), limits.get("maxSeconds"), limits.get("idleSeconds")
        if deadline is not None and time.time() - clock_ahead() >= deadline:
            return "budget"
        if most is not None and self.attempt.get("used", 0) + self.seconds() >= most:
            return "limit"
        if idle is not None and self.activity.seconds() >= idle and not self.activity.ask():
            return "idle"
        return None

    def stop(self, reason, grace):
        # A disk that stays full must not keep training from being stopped.
        self.attempt.try_put(stopReason=reason)
        self.run.tell("stopping", attempt=self.attempt.number, reason=reason)
        self.run.note(f"=== lambda-train: stopping ({reason}): TERM, then KILL after {grace} s")
        self.processes.stop(grace)

    def end_of_training(self):
        """The exit status; None where there is none, and the run is not over."""
        attempt = self.attempt
        # The launcher writes the end a moment after it.
        for _ in range(50):
            if self.going_down or attempt.has("trainingEnd") or not attempt.lives("launcher"):
                break
            time.sleep(0.2)
        if not self.going_down and not attempt.has("trainingEnd"):
            time.sleep(1)
        if self.going_down:
            attempt.try_put(interrupted=now())
            self.run.tell("interrupted", attempt=attempt.number)
            self.run.note(f"=== lambda-train: the machine goes down, {now()}")
            if attempt.lives("launcher"):
                # It may not have been told: what is ended now is no end of the run.
                send(signal.SIGTERM, [pid_in(attempt.get("launcher"))])
            self.processes.stop(self.grace)
            return None
        end = attempt.get("trainingEnd")
        if end is not None:
            return end["code"]
        if attempt.has("stopReason"):
            return 128 + signal.SIGTERM
        self.run.note(
            f"=== lambda-train: training ended without a status, {now()}: what started it (launch) was killed too"
        )
        self.processes.end(10)
        return None

    def close(self, code):
        """Writes down how training ended, and ends what it left."""
        attempt, run = self.attempt, self.run
        end = attempt.get("trainingEnd") or {}
        if code != 0 and self.others and not attempt.has("stopReason"):
            attempt.try_put(stopReason=self.others.cause())
        seconds, stopped = self.seconds(), attempt.has("stopReason")
        # By the clock that ended it a limit is used up; the launcher began a moment later.
        if end and (not stopped or end["seconds"] > seconds):
            seconds = end["seconds"]
        self.cover()
        steps = Steps(run.log, self.begins, self.described.get("firstStepPattern"))
        # A training in the background logs on after the command's end.
        if code == 0 and not stopped:
            self.tell_leftovers(has_trained=steps.before(end["size"]))
        # Workers that lost their parent would keep the GPU.
        self.processes.end(10)
        if not attempt.has("firstStep"):
            self.find_first_step(steps, ended=True)
        find_output(attempt)
        attempt.try_put(seconds=seconds, endedAt=now())
        elsewhere = look_elsewhere(run.experiment, 20)
        if elsewhere:
            run.note(f"=== lambda-train: {elsewhere}")
        follows = (self.described.get("node") or {}).get("rank", 0) > 0
        if code == 0 and not stopped and not attempt.has("detached") and not follows and not self.described.get("job"):
            self.tell_doubt(end.get("size", 0))
        run.note(f"=== lambda-train: training ended with status {code}, {now()}")
        killed = code == 128 + signal.SIGKILL or (code != 0 and tells_of_a_kill(run.log))
        if killed and not stopped:
            run.note(
                "lambda-train: training was killed (SIGKILL). Most often the machine ran out of memory: smaller batches, "
                "fewer loader workers or a bigger instance type help."
            )
        attempt.put(exit=code)
        self.copies.look(ended=True)
        run.tell("ended", attempt=attempt.number, code=code)
        self.times.note(size_of(run.log), now=True)

    def tell_leftovers(self, has_trained):
        kind, commands = left_of(self.attempt, outputs_of(self.described))
        if kind == "detached" and not has_trained:
            self.attempt.try_put(detached=commands)
            self.run.note(
                "lambda-train: the training command ended with status 0 before any first step, while what it had started "
                f"went on: {';'.join(commands)}. Training must stay in the foreground (no nohup, &, tmux or screen in "
                f"train.command); it is ended now: TERM, then KILL after {self.grace} s."
            )
            self.processes.stop(self.grace)
        elif kind != "" and not (has_trained and kind == "helpers"):
            step = "" if has_trained else " and logged no first step (train.firstStepPattern)"
            self.run.note(
                f"lambda-train: WARNING: training ended with status 0{step}; these processes of it still ran and are ended: "
                f"{';'.join(commands)}"
            )

    def tell_doubt(self, size):
        """Notes why an end with 0 may be no success: a pipe below make or sh hides how training ended."""
        error = error_at_end(self.run.log, self.begins, size)
        if error is not None:
            doubt = f"its log ends with an error: {error}"
        elif not self.attempt.has("firstStep") and has_left_nothing(self.attempt):
            doubt = "it logged no first step (train.firstStepPattern) and wrote no file"
        else:
            return
        self.attempt.try_put(doubt=doubt)
        self.run.note(f"lambda-train: WARNING: training ended with status 0, but {doubt}")

    def evaluate(self):
        attempt = self.attempt
        if wanted_evaluation(attempt) is None or not evaluates_itself(attempt):
            return
        subprocess.run(own_command("evaluate-now", experiment=self.run.experiment), stdin=subprocess.DEVNULL, check=False)
        self.run.note(f"=== lambda-train: evaluation ended with status {attempt.get('evaluationExit')}")
        look_elsewhere(self.run.experiment, 20)
        self.times.note(size_of(self.run.log), now=True)
