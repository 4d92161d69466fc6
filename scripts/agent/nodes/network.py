"""Addresses, ports and interfaces by which machines of a training reach each other."""

import fcntl
import socket
import struct

from fleet.link import fleet

# Asks for an interface's address. Python has no name for it.
SIOCGIFADDR = 0x8915


def addresses_of(machine):
    """How the others of the fleet reach it, best first."""
    return (fleet() or {"machines": {}})["machines"].get(machine, {}).get("addresses") or ["127.0.0.1"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("", 0))
        return probe.getsockname()[1]


def interface_towards(address):
    """The name of the network interface by which this machine reaches an address; None where none can be told."""
    own = own_address_towards(address)
    if own is None:
        return None
    return next((name for _, name in socket.if_nameindex() if address_on(name) == own), None)


def own_address_towards(address):
    """This machine's address by which it reaches another one; None where none can be told."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 9))
            return probe.getsockname()[0]
    except OSError:
        return None


def listens(address, port):
    """Whether something accepts connections there."""
    try:
        with socket.create_connection((address, port), 3):
            return True
    except OSError:
        return False


def address_on(interface):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            told = fcntl.ioctl(probe.fileno(), SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError:
            return None
    return socket.inet_ntoa(told[20:24])
