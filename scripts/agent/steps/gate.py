"""The gate: checks what training needs before it starts, with one line of evidence for each check."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from base.architecture import own_architecture
from base.checksum import sha256_of
from base.document import Maybe, takes
from base.files import BASE, read_json, try_write_json, under_home
from base.processes import boot_id, quietly
from base.say import say
from base.shell import CONTAINER, environment_with, with_environment
from base.text import shown
from container.docker import reason_in
from steps.python import USUAL, python_of
from upload.receive import Missing, evidence

GIB = 1 << 30
# A framework's import takes some hundred megabytes.
AT_ONCE = 4
SHOWN = os.path.join(BASE, "gate.json")
NOT_EXECUTABLE, NOT_FOUND = 126, 127
NO_GPU = "no GPU here, and none is required"
PROGRAM = re.compile(r"[A-Za-z][\w.+-]*")
FIND_ALL = 'for name; do command -v -- "$name" >/dev/null || { echo "$name"; exit 9; }; done'
MISSES = 9
FRAMEWORKS = ("torch", "jax", "tensorflow")
# The first line tells packages and variables: another one where any of these has changed.
PYTHON = """
import hashlib, os, platform, sys
paths = [(path, os.stat(path).st_mtime_ns) for path in sys.path if os.path.isdir(path)]
variables = sorted(each for each in os.environ.items() if not each[0].startswith('SSH_'))
print(hashlib.sha256(repr([sys.version, paths, variables]).encode('utf-8', 'surrogateescape')).hexdigest())
print(f'Python {platform.python_version()}, {sys.executable}')
"""
CUDA = """
import importlib.util, os, sys
required, asked = sys.argv[1] == 'required', sys.argv[2]
os.environ.setdefault('XLA_PYTHON_CLIENT_PREALLOCATE', 'false')
def end(right, text):
    print(text)
    sys.exit(0 if right else 1)
def by_jax():
    import jax
    return f'jax {jax.__version__}', len([each for each in jax.devices() if each.platform != 'cpu'])
def by_tensorflow():
    import tensorflow
    return f'tensorflow {tensorflow.__version__}', len(tensorflow.config.list_physical_devices('GPU'))
others = {'jax': by_jax, 'tensorflow': by_tensorflow}
error = None
if asked not in others:
    try:
        import torch
    except Exception as failed:
        error = failed
        asked = asked or next(filter(importlib.util.find_spec, others), '')
if error and not required:
    end(True, f'torch is not used here ({error})')
if asked in others:
    try:
        name, found = others[asked]()
    except Exception as failed:
        end(not required, f'{asked} does not work ({type(failed).__name__}: {failed})')
    end(found or not required, f'{name}, {found} GPUs' if found else f'{name} sees no GPU')
if error and asked == 'torch':
    end(False, f'torch does not import ({type(error).__name__}: {error}); install it in the setup script, or name what the workload imports instead of torch in gate.modules')
if error:
    end(True, f'not checked from Python: it has no torch, jax or tensorflow ({error})')
if torch.cuda.is_available():
    end(True, f'torch {torch.__version__}, CUDA {torch.version.cuda}, {torch.cuda.device_count()} x {torch.cuda.get_device_name(0)}')
if required:
    end(False, f'torch {torch.__version__} (built for CUDA {torch.version.cuda}) sees no GPU: torch.cuda.is_available() is false; the installed torch does not fit the driver, or there is no GPU')
end(True, f'torch {torch.__version__} on the CPU')
"""
MODULE = """
import importlib, os, sys
sys.path.insert(0, '')
name = sys.argv[1]
try:
    module = importlib.import_module(name)
except Exception as error:
    missing = isinstance(error, ModuleNotFoundError) and error.name == name
    print(f'{type(error).__name__}: {error}; install it in the setup script' + (', or take it out of gate.modules if the workload does not import it' if missing else ''))
    sys.exit(1)
if os.path.realpath(getattr(module, '__file__', None) or '.').startswith(os.path.realpath('.') + os.sep):
    print('own')
print(getattr(module, '__version__', 'imports'))
"""


# Of the Python that trains. `gpu`: required or optional. `modules`: must import. `trains`: the commands that train, whose
# Python is asked, each with its folder in the workspace. `seconds`: for each check.
IMPORTS = {"gpu": str, "modules": [str], "trains": Maybe([{"command": str, "directory": str}]), "seconds": int}


# `dataset`: folder in the workspace that holds it, and folders under it that must not be empty. `uploads`: whose files are
# checked against their manifest. `configs`: what setup makes, or (`sha256`) over what overrides were laid at home.
# `architecture`: as `uname -m` prints it. `disk`: free GiB space that the workspace's disk must have. `command`: must exit
# with 0 within the same seconds, run in the workspace.
@takes(
    workspace=str,
    dataset=Maybe({"target": str, "splits": [str]}),
    uploads=[{"name": str, "folder": str}],
    architecture=Maybe(str),
    disk=float,
    command=Maybe(str),
    **IMPORTS,
    configs=Maybe([{"path": str, "sha256": Maybe(str)}]),
)
def verify(workspace, dataset, uploads, gpu, architecture, disk, modules, trains, command, seconds, configs):
    """Prints "ok NAME: …" or "FAIL NAME: …" lines. Exit codes: 0 all hold, 1 something failed."""
    gate = Gate(under_home(workspace), gpu == "required", seconds)
    gate.say(gate.check_workspace())
    # What takes long here waits for other processes or the disk: side by side, and told in this order.
    gate.say_all(
        [
            partial(gate.check_architecture, architecture),
            partial(gate.check_disk, disk),
            gate.check_tmux,
            *(partial(gate.check_upload, upload) for upload in uploads),
            *([] if dataset is None else [partial(gate.check_dataset, dataset["target"], dataset["splits"])]),
            *(partial(gate.check_config, config["path"], config["sha256"]) for config in configs or []),
            gate.check_driver,
            *([partial(gate.check_container, trains or [])] if os.path.exists(CONTAINER) else []),
            *gate.imports(trains, modules),
        ]
    )
    gate.remember()
    if command:
        gate.say(gate.check_command(command))
    sys.exit(1 if gate.failed else 0)


def ask_ahead(workspace, gpu, modules, trains, seconds):
    """Imports what the gate will import, which then has the answers that hold. What does not hold, the gate tells."""
    gate = Gate(under_home(workspace), gpu == "required", seconds)
    gate.check_workspace()
    with ThreadPoolExecutor(AT_ONCE) as threads:
        for asked in [threads.submit(check) for check in gate.imports(trains, modules)]:
            asked.result()
    gate.remember()


class Gate:
    """Each check gives lines of evidence: whether it holds, its name, and what was seen."""

    def __init__(self, workspace, gpu_required, seconds):
        self.workspace, self.gpu_required, self.seconds = workspace, gpu_required, seconds
        self.failed = False
        # What imports have shown, by what was asked: before, and now.
        self.shown_before = read_json(SHOWN, {})
        self.shown = {}
        self.driver_said = None

    def say_all(self, checks):
        with ThreadPoolExecutor(AT_ONCE) as threads:
            for found in [threads.submit(check) for check in checks]:
                self.say(found.result())

    def say(self, lines):
        for right, name, text in lines:
            plain = shown(text.encode("utf-8", "surrogateescape")).decode("utf-8", "ignore")
            say(f"{'ok' if right else 'FAIL'} {name}: {plain}")
            self.failed = self.failed or not right

    def run(self, words, on_machine=False):
        """Status and output of a program in the workload's environment; status None where it took too long."""
        # By the program, which ends all that a command has started.
        timed = ["timeout", "--kill-after=10", str(self.seconds), *words]
        done = subprocess.run(
            with_environment(timed, on_machine),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environment_with(),
            check=False,
        )
        return None if done.returncode == 124 else done.returncode, done.stdout.decode("utf-8", "replace").rstrip("\n")

    def check_workspace(self):
        there = os.path.isdir(self.workspace)
        os.chdir(self.workspace if there else os.path.expanduser("~"))
        missing = "is not there; the code was not uploaded: run `pulumi up` again"
        return [(there, "workspace", self.workspace if there else f"{self.workspace} {missing}")]

    def check_upload(self, upload):
        name = "cache" if os.path.isabs(upload["name"]) else f"upload {upload['name']}"
        try:
            return [(True, name, evidence(upload["name"], under_home(upload["folder"])))]
        except Missing as error:
            return [(False, name, f"{error}; run `pulumi up` again")]

    def check_dataset(self, target, splits):
        folder = os.path.join(self.workspace, target)
        if not os.path.isdir(folder):
            return [(False, "dataset", f"{folder} is not there; check dataset.source")]
        return [self.check_split(folder, split) for split in splits]

    def check_split(self, folder, split):
        count = sum(len(files) for _, _, files in os.walk(os.path.join(folder, split), followlinks=True))
        missing = f"no file in {folder}/{split}; check dataset.source and dataset.splits"
        return count > 0, f"dataset {split}", f"{count} files" if count else missing

    def check_config(self, path, checksum):
        place = os.path.join(self.workspace, path)
        if not os.path.isfile(place):
            said = f"setup ended and {path} is not there; its log is {BASE}/steps/setup/log"
            return [(False, "config", f"{said}. Mend setup, or name another train.config")]
        if checksum is not None and sha256_of(place) != checksum:
            changed = f"{path} was changed on the instance, and train.overrides were laid over the one at home"
            return [(False, "config", f"{changed}. If setup rewrites it, list it in environment.makes")]
        return [(True, "config", path if checksum else f"{path}, made by setup")]

    def check_architecture(self, wanted):
        found = own_architecture()
        right = wanted in (None, "", found)
        other = f"this instance is {found}, gate.architecture asks for {wanted}; choose another instance type"
        return [(right, "architecture", found if right else other)]

    def check_disk(self, least):
        free = shutil.disk_usage(".").free // GIB
        more = f"gate.minDiskGiB asks for {least}; choose an instance type with a bigger disk or a file system"
        return [(free >= least, "disk", f"{free} GiB free" + ("" if free >= least else f", {more}"))]

    def check_tmux(self):
        if shutil.which("tmux") is None:
            quietly(
                [
                    "sudo",
                    "-n",
                    "DEBIAN_FRONTEND=noninteractive",
                    "apt-get",
                    "-o",
                    "DPkg::Lock::Timeout=120",
                    "install",
                    "-y",
                    "tmux",
                ],
                300,
            )
        if shutil.which("tmux") is None:
            return [
                (
                    False,
                    "tmux",
                    "not installed, and `sudo apt-get install tmux` did not work; install it in the setup script",
                )
            ]
        version = subprocess.run(["tmux", "-V"], stdout=subprocess.PIPE, check=False).stdout.decode().strip()
        return [(True, "tmux", version)]

    def driver(self):
        """Status and output of the driver's program; asked once."""
        if self.driver_said is None:
            words = ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
            self.driver_said = self.run(["timeout", "60", *words], on_machine=True)
        return self.driver_said

    def check_driver(self):
        code, said = self.driver()
        if code == 0:
            return [(True, "driver", ";".join(said.split("\n")))]
        if self.gpu_required:
            first = said.split("\n")[0]
            return [
                (
                    False,
                    "driver",
                    f"nvidia-smi does not work ({first}): no GPU or no driver here; choose a GPU instance "
                    "type or set gate.gpu to optional",
                )
            ]
        return [(True, "driver", NO_GPU)]

    def check_container(self, trains):
        """Whether the image runs here, and has the programs that training calls by name."""
        image = read_json(CONTAINER, {}).get("named", "")
        words = (each["command"].split(None, 1)[0] for each in trains if each["command"].strip())
        programs = dict.fromkeys(word for word in words if PROGRAM.fullmatch(word))
        code, said = self.run(["bash", "-c", FIND_ALL, "agent", *programs])
        last = reason_in(said)
        if code == 0:
            return [(True, "container", image)]
        missing = f"has no {last}, which training calls: build an image with it, or change train.command"
        return [(False, "container", f"{image} {missing if code == MISSES else f'does not run: {last}'}")]

    def imports(self, trains, modules):
        """Checks that each Python that trains makes."""
        return [check for python in self.pythons(trains or []) for check in self.python_checks(python, modules)]

    def remember(self):
        try_write_json(SHOWN, self.shown)

    def pythons(self, trains):
        """Shell words of each Python that trains."""
        found = [python_of(each["command"], os.path.join(self.workspace, each["directory"])) for each in trains]
        return list(dict.fromkeys(found or [USUAL]))

    def python_checks(self, python, modules):
        """Checks that the workload's Python makes; only that it does not run, where it does not."""
        runs, said = self.in_python(python, "python", PYTHON)
        if not runs[0]:
            return [lambda: [runs]]
        stamp = [boot_id(), said.split("\n")[0]]
        framework = next((name for name in FRAMEWORKS if name in modules), "")
        required = "required" if self.gpu_required else "optional"
        cuda = partial(self.once, stamp, python, "cuda", CUDA, required, framework)
        if not self.gpu_required and self.driver()[0] != 0:
            # Whatever it said would be right, and a framework takes seconds to import.
            cuda = partial(list, [(True, "cuda", NO_GPU)])
        return [
            lambda: [runs],
            cuda,
            *(partial(self.once, stamp, python, f"module {module}", MODULE, module) for module in modules),
        ]

    def once(self, stamp, python, name, code, *words):
        """As `in_python`. An import that has held since this boot, of the same packages, takes its seconds only once."""
        key = hashlib.sha256(json.dumps([stamp, python, code, words]).encode()).hexdigest()
        if key in self.shown_before:
            line, is_own = (True, name, self.shown_before[key]), False
        else:
            line, said = self.in_python(python, name, code, *words)
            # A module of the workspace is another one with each change of the code.
            is_own = said.startswith("own\n")
        if line[0] and not is_own:
            self.shown[key] = line[2]
        return [line]

    def in_python(self, python, name, code, *words):
        """A line of evidence from the workload's Python, and all that it said; the code exits with 0 where the check holds."""
        status, said = self.run(["bash", "-c", f'exec {python} "$@"', "agent", "-c", code, *words])
        text = said.split("\n")[-1]
        if status is None:
            text = f"no answer from {python} within {self.seconds} s"
        elif status in (NOT_EXECUTABLE, NOT_FOUND) and name == "python":
            text = f"training calls `{python}`, which can't be run in the workload's environment"
        return (status == 0, name, text), said

    def check_command(self, command):
        # Without pipefail: `nvidia-smi | grep -q A100` ends with what grep says, although grep does not read to the end.
        status, said = self.run(["bash", "-c", command])
        said = "\n".join(line[:500] for line in said.split("\n")[-3:])
        if status == 0:
            return [(True, "command", command)]
        if status is None:
            return [(False, "command", f"`{command}` did not end within {self.seconds} s (gate.timeoutMinutes): {said}")]
        return [(False, "command", f"`{command}` ended with status {status}: {said}")]
