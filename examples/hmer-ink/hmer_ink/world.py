"""The processes that train together: one, or several under torchrun."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import distributed

from .errors import WorkloadError


def choose_device(wanted: str, local_rank: int = 0) -> torch.device:
    """The device for `auto`, `cpu` or `cuda`. Raises WorkloadError when CUDA is asked for and not there."""
    if wanted == "cpu" or (wanted == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise WorkloadError(
            f"the config asks for device: cuda, but PyTorch {torch.__version__} sees no CUDA device here"
            " (torch.cuda.is_available() is False). Check `nvidia-smi` and that this PyTorch is built with CUDA,"
            " or set device: auto or cpu"
        )
    if local_rank >= torch.cuda.device_count():
        raise WorkloadError(
            f"process {local_rank} of this machine has no GPU: there are {torch.cuda.device_count()}. Lower NPROC"
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    return device


@dataclass(frozen=True)
class World:
    """This process's place among all that train together."""

    rank: int
    size: int
    local_size: int
    device: torch.device

    @property
    def main(self) -> bool:
        """Whether this is the process that writes logs, metrics and checkpoints."""
        return self.rank == 0

    def sum(self, values: list[float]) -> list[float]:
        """Sums over all processes; each has to call it."""
        if self.size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        distributed.all_reduce(tensor)
        return tensor.tolist()

    def gather(self, value: Any) -> list[Any]:
        """The value of every process, by rank; each has to call it."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values


def join_world(wanted_device: str) -> World:
    """Join the processes that torchrun started (nccl on GPUs, gloo on CPUs), or be alone."""
    size, local_rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    device = choose_device(wanted_device, local_rank)
    if size > 1:
        backend = "nccl" if device.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=timedelta(minutes=10))
    return World(int(os.environ.get("RANK", "0")), size, int(os.environ.get("LOCAL_WORLD_SIZE", "1")), device)


def leave_world(world: World) -> None:
    """Leave in good order."""
    if world.size > 1:
        distributed.destroy_process_group()
