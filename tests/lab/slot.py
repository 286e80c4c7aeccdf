"""A lab's place on the machine: its number, its folder, its addresses, and who holds it.

Labs run side by side: lab K has the addresses 127.0.K.N, the folder K, the cgroup gapless-lab-K
and firewall chains named after it. It is held by a file lock, which goes with the process that
took it; a folder nobody holds was left by a killed run, unless it is marked as kept.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from . import paths
from .cgroup import Cgroup
from .disk import unmount_below
from .locking import try_lock
from .machine import forget
from .network import Cut
from .process import boot_id
from .shell import LabError

_SLOTS = range(1, 100)
_SSH_PORTS = (22, 2222)  # the second where the machine's own sshd listens on every address


@dataclass(frozen=True)
class Record:
    """What a lab writes down about itself for those who come after or beside it."""

    hosts: int
    ssh_port: int
    rootfs: str
    srv_megabytes: int
    kept: bool = False
    boot: str = field(default_factory=boot_id)
    owner: int = field(default_factory=os.getpid)


class Slot:
    """One of the places. Make it with `claim`, or with `find_kept` to use a lab that runs."""

    def __init__(self, number: int, lock: int | None = None) -> None:
        self.number = number
        self.folder = _folder(number)
        self.cgroup = Cgroup(f"gapless-lab-{number}")
        self._lock = lock

    @classmethod
    def claim(cls) -> Slot:
        """Clear away what killed labs left, and take the first free place.

        Raises LabError if all are taken.
        """
        clear_leftovers()
        for number in _SLOTS:
            slot = cls._try_claim(number)
            if slot is not None:
                return slot
        raise LabError("every lab slot is in use: `python -m tests.lab status` lists them")

    @classmethod
    def _try_claim(cls, number: int) -> Slot | None:
        lock = try_lock(_lock_file(number))
        if lock is None:
            return None
        slot = cls(number, lock)
        if slot.folder.exists() or slot.free_ssh_port() is None:
            slot.let_go()
            return None
        slot.folder.mkdir(mode=0o700)
        return slot

    def address(self, host: int) -> str:
        """The address of host number `host`."""
        return f"127.0.{self.number}.{host}"

    def cut(self, host: int) -> Cut:
        """The (not yet made) network cut of host number `host`."""
        mark = self.number << 8 | host
        chain = f"{self.cgroup.name}-h{host}"
        return Cut(chain, mark, self.address(host), self.host_cgroup(host))

    def host_cgroup(self, host: int) -> Cgroup:
        """The cgroup of everything that runs on host number `host`."""
        return Cgroup(f"{self.cgroup.name}/h{host}")

    def launcher_cgroup(self, host: int) -> Cgroup:
        """The cgroup of what powers that host on, and again after a reboot."""
        return Cgroup(f"{self.cgroup.name}/launchers/h{host}")

    def free_ssh_port(self) -> int | None:
        """A port sshd can have on this slot's addresses."""
        return next((port for port in _SSH_PORTS if _can_listen(self.address(1), port)), None)

    def write_record(self, record: Record) -> None:
        """Say what is here; a record that says `kept` makes it outlive this process."""
        new = self.folder / "lab.json.new"
        new.write_text(json.dumps(asdict(record)))
        new.rename(self.folder / "lab.json")

    def record(self) -> Record | None:
        """What was written down; None if the lab never came so far, or wrote it differently."""
        try:
            return Record(**json.loads((self.folder / "lab.json").read_text()))
        except (FileNotFoundError, TypeError):
            return None

    def is_kept(self) -> bool:
        """Whether a lab was told to stay here, and the machine has not been rebooted since."""
        record = self.record()
        return record is not None and record.kept and record.boot == boot_id()

    def clear(self) -> None:
        """End and remove everything that is here: processes, rules, mounts, cgroups, files."""
        for host in self._made_hosts():
            self.host_cgroup(host).kill()  # the hosts first: their launchers then end as usual
            self.cut(host).heal()
            forget(self.host_cgroup(host))
        self.cgroup.kill()
        unmount_below(self.folder)
        self.cgroup.remove()
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _made_hosts(self) -> list[int]:
        """The hosts that left a trace; the folders tell, even if a lab died while making them."""
        return sorted(int(folder.name[1:]) for folder in self.folder.glob("h[0-9]*"))

    def let_go(self) -> None:
        """Give the lock back; others may take the place if it is empty."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def clear_leftovers() -> None:
    """Clear every slot that is neither held nor kept."""
    for number in list(_used()):
        _clear_if_idle(number, even_kept=False)


def clear_kept() -> list[int]:
    """Clear every kept slot nobody holds; returns their numbers."""
    kept = [slot.number for slot in find_kept()]
    return [number for number in kept if _clear_if_idle(number, even_kept=True)]


def find_all() -> list[Slot]:
    """Every slot with something in it: running, kept or left behind."""
    return [Slot(number) for number in _used()]


def find_kept() -> list[Slot]:
    """The slots where a lab was told to stay."""
    return [slot for slot in find_all() if slot.is_kept()]


def _clear_if_idle(number: int, *, even_kept: bool) -> bool:
    lock = try_lock(_lock_file(number))
    if lock is None:
        return False
    slot = Slot(number, lock)
    try:
        if slot.folder.exists() and (even_kept or not slot.is_kept()):
            slot.clear()
        return True
    finally:
        slot.let_go()


def _used() -> Iterator[int]:
    return (number for number in _SLOTS if _folder(number).exists())


def _folder(number: int) -> Path:
    return paths.STATE / f"{number}"


def _lock_file(number: int) -> Path:
    return paths.STATE / f"{number}.lock"


def _can_listen(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
        return True
