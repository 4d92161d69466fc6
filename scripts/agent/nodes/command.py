"""The command and the variables of a training on several processes or machines."""

import os

from base.processes import AGENT, ended_within
from base.shell import strict, workplace
from nodes.network import addresses_of, interface_towards
from steps.python import python_of

TORCHRUN = os.path.join(AGENT, "inside", "torchrun.py")


def words_of(described, command, place):
    """
    The words that train here: the command itself, or torchrun with the command as each of its processes. `place`: in a round,
    see nodes/group.py; None for a training on this machine alone.
    """
    asked = described.get("processes")
    if asked is None:
        return strict(command)
    count = str(gpus() or 1) if asked == "auto" else asked
    python = python_of(command, workplace(described))
    # Ranks by machine: c10d's own rendezvous would give them in the order of arrival, and rank 0 writes checkpoints.
    where = (
        ["--standalone", "--nnodes=1"]
        if place is None
        else [
            f"--nnodes={len(described['node']['machines'])}",
            f"--node_rank={described['node']['rank']}",
            f"--master_addr={place['address']}",
            f"--master_port={place['port']}",
        ]
    )
    options = [*where, f"--nproc_per_node={count}", "--monitor_interval=0.5", "--no_python"]
    return ["bash", "-c", f'exec {python} "$@"', "agent", TORCHRUN, *options, *strict(command)]


def variables_of(described, place):
    """What a workload that starts its processes by itself reads, as torchrun, accelerate, deepspeed and lightning do."""
    if place is None:
        return {}
    node = described["node"]
    rank, machines = node["rank"], node["machines"]
    # Rank 0 is reached by its own address from everywhere; it reaches the others by theirs.
    interface = interface_towards(place["address"] if rank > 0 else addresses_of(machines[1])[0])
    told = {} if interface is None else {"NCCL_SOCKET_IFNAME": interface, "GLOO_SOCKET_IFNAME": interface}
    if described.get("processes") is not None or described.get("cluster") is not None:
        return told
    told.update(
        NODE_RANK=str(rank),
        NNODES=str(len(machines)),
        MASTER_ADDR=place["address"],
        MASTER_PORT=str(place["port"]),
        NPROC_PER_NODE=str(gpus() or 1),
    )
    if gpus() <= 1:
        # One process a machine: what it is told is true of itself.
        told.update(RANK=str(rank), WORLD_SIZE=str(len(machines)), LOCAL_RANK="0", LOCAL_WORLD_SIZE="1")
    return told


def gpus():
    """How many GPUs this machine has."""
    ended = ended_within(20, ["nvidia-smi", "-L"], -1)
    if ended is None or ended.returncode != 0:
        return 0
    return sum(line.startswith(b"GPU ") for line in ended.stdout.splitlines())
