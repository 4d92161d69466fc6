"""What the machine and an experiment's files look like now (MachineLook in remote/machine.ts)."""

import os
import re
import shutil
import subprocess
import time

from base.files import BASE, fact, modified
from base.text import last_line

MOST_CHECKPOINTS = 200
MOST_ENTRIES = 20_000
CHECKPOINT = re.compile(r"\.(pt|pth|ckpt|safetensors|bin|h5|keras|npz|onnx|msgpack|pkl|joblib)$", re.IGNORECASE)
GPU_FIELDS = ["name", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu", "power.draw"]


def cpu():
    """Clock ticks since the boot: two looks make a share."""
    fields = [int(field) for field in fact("/proc/stat").split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return {"count": os.cpu_count(), "busyTicks": sum(fields) - idle, "totalTicks": sum(fields)}


def memory():
    lines = dict(re.findall(r"^(\w+):\s+(\d+) kB$", fact("/proc/meminfo"), re.MULTILINE))
    return {"totalBytes": int(lines["MemTotal"]) * 1024, "freeBytes": int(lines["MemAvailable"]) * 1024}


def disk():
    usage = shutil.disk_usage(os.path.expanduser("~"))
    # What is kept for root counts as used, as in df.
    return {"totalBytes": usage.used + usage.free, "freeBytes": usage.free}


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def gpus():
    command = ["nvidia-smi", f"--query-gpu={','.join(GPU_FIELDS)}", "--format=csv,noheader,nounits"]
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return []
    found = []
    for line in said.splitlines():
        fields = [field.strip() for field in line.split(",")]
        if len(fields) != len(GPU_FIELDS):
            continue
        used, total = number(fields[2]), number(fields[3])
        found.append(
            {
                "name": fields[0],
                "percent": number(fields[1]),
                "usedBytes": None if used is None else used * 1024**2,
                "totalBytes": None if total is None else total * 1024**2,
                "celsius": number(fields[4]),
                "watts": number(fields[5]),
            }
        )
    return found


def seconds(nanoseconds):
    return None if nanoseconds is None else nanoseconds / 1e9


def step(folder):
    """A step of the setup: its hash is written when it starts, its exit status when it ends."""
    code = fact(folder, "exit")
    return {
        "startedAt": seconds(modified(os.path.join(folder, "hash"))),
        "endedAt": seconds(modified(os.path.join(folder, "exit"))),
        "exitCode": int(code) if code.isdigit() else None,
        "lastLine": last_line(os.path.join(folder, "log")).strip() or None,
    }


def steps():
    folder = os.path.join(BASE, "steps")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {name: step(os.path.join(folder, name)) for name in names}


def evaluated_at(run):
    attempt = run.newest()
    return seconds(attempt.get("evaluatedAt")) if attempt else None


def checkpoints(output):
    found, seen = [], 0
    for folder, folders, names in os.walk(output):
        folders.sort()
        for name in names:
            seen += 1
            path = os.path.join(folder, name)
            relative = os.path.relpath(path, output)
            if not CHECKPOINT.search(name) and "checkpoint" not in os.path.dirname(relative).lower():
                continue
            try:
                status = os.stat(path)
            except OSError:
                continue
            found.append({"path": relative, "bytes": status.st_size, "writtenAt": status.st_mtime})
        if seen > MOST_ENTRIES:
            break
    return sorted(found, key=lambda each: -each["writtenAt"])[:MOST_CHECKPOINTS]


def look_at(run, output):
    """`output`: where the experiment writes, once that is known."""
    return {
        "now": time.time(),
        "cpu": cpu(),
        "memory": memory(),
        "disk": disk(),
        "gpus": gpus(),
        "steps": steps(),
        "evaluatedAt": evaluated_at(run),
        "checkpoints": checkpoints(output) if output else [],
    }
