"""
Whether the machines of a training can talk, and how fast: `reduce.py RANK COUNT ADDRESS PORT SECONDS NAMES`, on all of them at
once. Rank 0 prints a line for each pair and one for all together. On GPUs by NCCL, else by gloo.
"""

import itertools
import sys
import time
from datetime import timedelta

import torch
from torch import distributed

# Beyond so many machines only neighbours are measured: pairs grow with the square.
MOST = 8
ROUNDS = 3
FLOATS = {"nccl": 64 << 20, "gloo": 2 << 20}


def measured(ranks, group, me, tensor):
    """Bytes a second that an all-reduce moves through each machine of a group; 0 on others."""
    if me not in ranks:
        return 0.0
    distributed.all_reduce(tensor, group=group)
    ended(tensor)
    began = time.monotonic()
    for _ in range(ROUNDS):
        distributed.all_reduce(tensor, group=group)
    ended(tensor)
    seconds = max(time.monotonic() - began, 1e-9)
    moved = 2 * (len(ranks) - 1) / len(ranks) * tensor.numel() * tensor.element_size() * ROUNDS
    return moved / seconds


def ended(tensor):
    if tensor.is_cuda:
        torch.cuda.synchronize()


def main():
    me, count, address, port, seconds = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4], int(sys.argv[5])
    names = sys.argv[6].split(",")
    backend = "nccl" if torch.cuda.is_available() else "gloo"
    device = "cuda:0" if backend == "nccl" else "cpu"
    print(f"{names[me]} joins at {address}:{port} by {backend}", flush=True)
    limit = timedelta(seconds=seconds)
    where = {"init_method": f"tcp://{address}:{port}", "rank": me, "world_size": count, "timeout": limit}
    distributed.init_process_group(backend, **where)
    pairs = list(itertools.combinations(range(count), 2)) if count <= MOST else [(at, at + 1) for at in range(count - 1)]
    tensor = torch.zeros(FLOATS[backend], device=device)
    rates = torch.zeros(len(pairs) + 1, dtype=torch.float64, device=device)
    for at, pair in enumerate(pairs):
        group = distributed.new_group(list(pair), timeout=limit)
        if me in pair:
            print(f"{names[me]} talks to {names[pair[0] if me == pair[1] else pair[1]]}", flush=True)
        rate = measured(pair, group, me, tensor)
        # Each machine of a pair has measured it.
        rates[at] = rate / 2
    rates[-1] = measured(range(count), None, me, tensor) / count
    distributed.all_reduce(rates)
    if me == 0:
        for pair, rate in zip(pairs, rates.tolist()):
            print(f"ok pair {names[pair[0]]} - {names[pair[1]]}: {rate / 1e9:.2f} GB/s by {backend}")
        print(f"ok all-reduce of {count} machines: {rates.tolist()[-1] / 1e9:.2f} GB/s by {backend}", flush=True)
    distributed.destroy_process_group()


if __name__ == "__main__":
    main()
