"""The lab: N hosts booted together, and nothing left of them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.ports import free_port

from .cgroup import Cgroup
from .debian import install_missing_packages
from .haproxy import HAProxy, HAProxySettings
from .host import LabHost, endpoint
from .keys import Keys
from .limits import raise_inotify_limit
from .rootfs import ensure_rootfs
from .shell import LabError
from .slot import Record, Slot, find_kept

_HAPROXY = 254
"""Where the host number would stand in the address of a HAProxy: behind the last host."""


class Lab:
    """A context manager for `count` running hosts, `lab[1]` to `lab[count]`.

    Several labs can run side by side on one machine; each has its own addresses 127.0.K.N.
    What a killed run left behind is cleared when the next lab starts.
    """

    def __init__(
        self, count: int = 5, *, extra_packages: Sequence[str] = (), srv_megabytes: int = 256
    ) -> None:
        if not 1 <= count <= 250:
            raise ValueError(f"a lab has 1 to 250 hosts, not {count}")
        self._count = count
        self._extra_packages = extra_packages
        self._srv_megabytes = srv_megabytes
        self._running: tuple[Slot, Record, list[LabHost]] | None = None

    @classmethod
    def attach(cls) -> Lab:
        """The lab that `python -m tests.lab up` left running. Raises LabError if there is none."""
        for slot in find_kept():
            record = slot.record()
            if record is not None:
                lab = cls(record.hosts)
                lab._enter(slot, record)
                return lab
        raise LabError("no lab is up: `python -m tests.lab up 3` starts one")

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.down()

    def up(self) -> None:
        """Boot all hosts; returns when all are ready. If that fails, nothing is left behind."""
        install_missing_packages()
        rootfs = ensure_rootfs(self._extra_packages)
        raise_inotify_limit()
        slot = Slot.claim()
        try:
            self._create(slot, rootfs)
            in_parallel(self._create_host, self.hosts)
            in_parallel(LabHost.boot, self.hosts)
        except BaseException:
            slot.clear()
            slot.let_go()
            self._running = None
            raise

    def down(self) -> None:
        """End all hosts and remove every trace of the lab."""
        if self._running is not None:
            self._slot.clear()
            self._slot.let_go()
            self._running = None

    def keep(self) -> None:
        """Let the hosts run on after this process has ended."""
        self._slot.write_record(replace(self._record, kept=True))
        self._slot.let_go()

    def renew(self, hosts: Iterable[LabHost]) -> None:
        """Replace these hosts by new ones, clean and ready, with the same addresses and keys."""
        in_parallel(self._renew_host, hosts)

    def haproxy(
        self,
        servers: Mapping[str, str],
        *,
        port: int | None = None,
        settings: HAProxySettings | None = None,
    ) -> HAProxy:
        """A HAProxy of this lab, not yet started, on the machine itself: 127.0.K.254."""
        address = self._slot.address(_HAPROXY)
        port = port or free_port(address)
        folder = self.folder / f"haproxy-{port}"
        cgroup = Cgroup(f"{self._slot.cgroup.name}/haproxy-{port}")
        return HAProxy(
            folder, servers, address=address, port=port, settings=settings, cgroup=cgroup
        )

    @property
    def number(self) -> int:
        """Which lab of this machine it is: the K of its addresses 127.0.K.N."""
        return self._slot.number

    @property
    def folder(self) -> Path:
        """A private folder that goes with the lab."""
        return self._slot.folder

    @property
    def keys(self) -> Keys:
        """The client's key and ssh files (`keys.client`, `keys.known_hosts`, `keys.config`)."""
        return Keys(self.folder / "ssh")

    @property
    def hosts(self) -> list[LabHost]:
        """All hosts, in order."""
        return list(self._here[2])

    def __getitem__(self, number: int) -> LabHost:
        if not 1 <= number <= self._count:
            raise IndexError(f"hosts are numbered 1 to {self._count}, there is no {number}")
        return self.hosts[number - 1]

    def __iter__(self) -> Iterator[LabHost]:
        return iter(self.hosts)

    def __len__(self) -> int:
        return self._count

    def _create(self, slot: Slot, rootfs: Path) -> None:
        port = slot.free_ssh_port()
        if port is None:
            raise LabError(f"no port for sshd is free at {slot.address(1)}")
        record = Record(self._count, port, str(rootfs), self._srv_megabytes)
        slot.write_record(record)
        numbers = range(1, self._count + 1)
        Keys(slot.folder / "ssh").create([endpoint(slot, number, port) for number in numbers])
        self._enter(slot, record)

    def _enter(self, slot: Slot, record: Record) -> None:
        keys = Keys(slot.folder / "ssh")
        numbers = range(1, record.hosts + 1)
        hosts = [LabHost(slot, n, record.ssh_port, keys, record.srv_megabytes) for n in numbers]
        self._running = (slot, record, hosts)

    def _create_host(self, host: LabHost) -> None:
        names = [f"{other.address} {other.name}\n" for other in self.hosts]
        host.create(Path(self._record.rootfs), "127.0.0.1 localhost\n" + "".join(names))

    def _renew_host(self, host: LabHost) -> None:
        host.destroy()
        self._create_host(host)
        host.boot()

    @property
    def _slot(self) -> Slot:
        return self._here[0]

    @property
    def _record(self) -> Record:
        return self._here[1]

    @property
    def _here(self) -> tuple[Slot, Record, list[LabHost]]:
        if self._running is None:
            raise LabError("the lab is not up")
        return self._running


def in_parallel(act: Callable[[LabHost], object], hosts: Iterable[LabHost]) -> None:
    """Do the same to all hosts at once; waits for all, then raises what went wrong, together."""
    chosen = list(hosts)
    with ThreadPoolExecutor(max_workers=max(len(chosen), 1)) as pool:
        running = [pool.submit(act, host) for host in chosen]
    failed = [error for error in (future.exception() for future in running) if error]
    if failed:
        raise LabError("; ".join(str(error) for error in failed)) from failed[0]
