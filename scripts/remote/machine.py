#!/usr/bin/env python3
"""Prints what the machine and an experiment's files look like now, as one JSON object (MachineLook in remote/machine.ts).

Usage: machine.py EXPERIMENT [OUTPUT_FOLDER]
Exit codes: 0, 2 usage.
"""
import json
import os
import re
import shutil
import subprocess
import sys
import time

MOST_CHECKPOINTS = 200
MOST_ENTRIES = 20_000
LINE = 300
CHECKPOINT = re.compile(r"\.(pt|pth|ckpt|safetensors|bin|h5|keras|npz|onnx|msgpack|pkl|joblib)$", re.IGNORECASE)
GPU_FIELDS = ["name", "utilization.gpu", "memory.used", "memory.total", "temperature.gpu", "power.draw"]


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def cpu():
    """Clock ticks since the boot: two looks make a share."""
    fields = [int(field) for field in read("/proc/stat").split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return {"count": os.cpu_count(), "busyTicks": sum(fields) - idle, "totalTicks": sum(fields)}


def memory():
    lines = dict(re.findall(r"^(\w+):\s+(\d+) kB$", read("/proc/meminfo"), re.MULTILINE))
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


def modified(path):
    try:
        return os.stat(path).st_mtime
    except OSError:
        return None


def last_line(path):
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 8192))
            text = file.read().decode("utf-8", "replace")
    except OSError:
        return None
    lines = [line.strip() for line in re.split(r"[\r\n]", text) if line.strip()]
    return lines[-1][:LINE] if lines else None


def step(folder):
    """A step that step.sh runs: its script is copied when it starts, its exit status written when it ends."""
    code = read(os.path.join(folder, "exit")).strip()
    return {
        "startedAt": modified(os.path.join(folder, "script.sh")),
        "endedAt": modified(os.path.join(folder, "exit")),
        "exitCode": int(code) if code.isdigit() else None,
        "lastLine": last_line(os.path.join(folder, "log")),
    }


def steps(base):
    folder = os.path.join(base, "steps")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    return {name: step(os.path.join(folder, name)) for name in names}


def evaluated_at(base, experiment):
    run = os.path.join(base, "runs", experiment)
    attempt = read(os.path.join(run, "attempt")).strip() or "0"
    return modified(os.path.join(run, "attempts", attempt, "evaluation_exit"))


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


def main():
    if len(sys.argv) not in (2, 3):
        print(__doc__.split("\n")[2], file=sys.stderr)
        sys.exit(2)
    base = os.environ.get("LAMBDA_TRAIN_BASE") or os.path.expanduser("~/.lambda-train")
    look = {
        "now": time.time(),
        "cpu": cpu(),
        "memory": memory(),
        "disk": disk(),
        "gpus": gpus(),
        "steps": steps(base),
        "evaluatedAt": evaluated_at(base, sys.argv[1]),
        "checkpoints": checkpoints(sys.argv[2]) if len(sys.argv) == 3 else [],
    }
    json.dump(look, sys.stdout)


main()
