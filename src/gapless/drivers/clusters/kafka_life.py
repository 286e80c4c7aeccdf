"""What names the process of a Kafka broker. No side effects.

1. No answer of a broker tells one process from the next. But its listener is a socket that the
   kernel of its host numbers anew each time: that number, with the id of the boot, names it.
2. The host is asked for sockets that listen at the broker's port: no privilege is needed for that.
   Of several the one at the broker's own address counts, else one that listens at all addresses.
3. Where none is found (another network namespace, a port that is translated) nothing is claimed:
   then only what starts the service tells that it is another process.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable

FILES = ("/proc/sys/kernel/random/boot_id", "/proc/net/tcp", "/proc/net/tcp6")
_BOOT = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f-]{22}"
_LINE = re.compile(r"\s*\d+: ([0-9A-F]+):([0-9A-F]{4}) 0+:0000 0A (?:\S+ +){3}\S+ +\S+ +(\d+) ")
_EVERYWHERE = {"0" * 8, "0" * 32}


def question(address: str) -> tuple[str, ...]:
    """The words of the program that prints the lines which ``began`` reads."""
    return ("grep", "-hE", f":{_port(address)} 0+:0000 0A |^{_BOOT}$", *FILES)


def began(address: str, printed: str) -> str:
    """Names the process, "" where it cannot be told."""
    lines = printed.splitlines()
    boot = next((line for line in lines if re.fullmatch(_BOOT, line)), "")
    found = [match.groups() for line in lines if (match := _LINE.match(line))]
    sockets = [(place, inode) for place, port, inode in found if port == _port(address)]
    inode = _one(sockets, _written(address)) or _one(sockets, _EVERYWHERE)
    return f"socket {inode} of boot {boot}" if boot and inode else ""


def _one(sockets: Iterable[tuple[str, str]], places: Iterable[str]) -> str:
    inodes = {inode for place, inode in sockets if place in places}
    return inodes.pop() if len(inodes) == 1 else ""


def _port(address: str) -> str:
    return f"{int(address.rpartition(':')[2]):04X}"


def _written(address: str) -> set[str]:
    """An address as the kernel writes it; a name is nothing that it knows."""
    try:
        found = ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
    except ValueError:
        return set()
    words = [found.packed[at : at + 4][::-1].hex().upper() for at in range(0, len(found.packed), 4)]
    text = "".join(words)
    return {text, f"{'0' * 16}FFFF0000{text}"} if found.version == 4 else {text}
