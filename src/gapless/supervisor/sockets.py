"""The sockets that outlive every copy: bound here once, or taken over from whoever started us, and
inherited by old and new alike, so that nothing queued is ever lost.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterable, Mapping

from gapless.supervisor.spec import Listen

FIRST = 3
"""Number of the first inherited socket, as systemd has it."""
KEPT = "gapless "
"""Begins the names of those that the service manager keeps for us."""


class Listeners:
    """By address: a name may move to another address from one flip to the next."""

    def __init__(self) -> None:
        self._held: dict[str, socket.socket] = {}
        self._paths: dict[str, tuple[int, int]] = {}
        self._replaced: dict[str, tuple[socket.socket, tuple[int, int] | None]] = {}
        """What the copy that serves has, of addresses that were opened anew for the next one."""

    def open(self, wanted: Iterable[Listen], given: dict[str, int]) -> list[str]:
        """Hold what is wanted as well: what was given to us, else bound now. A path that was
        removed is opened anew: nobody could come to the socket that we hold. Returns the addresses
        that are new. Raises OSError, which names the address, having changed nothing."""
        wanted = [*wanted]
        fresh = [one for one in wanted if one.address not in self._held]
        lost = [one for one in wanted if one not in fresh and self._lost(one.address)]
        names = _matched(fresh, given)
        bound: dict[str, socket.socket] = {}
        try:
            for one in (*fresh, *lost):
                if one.address not in names:
                    bound[one.address] = _named(one)
        except OSError:
            for made in bound.values():
                made.close()
            raise
        for one in lost:
            held, inode = self._held[one.address], self._paths.pop(one.address, None)
            self._replaced[one.address] = held, inode
        taken = {address: socket.socket(fileno=given.pop(name)) for address, name in names.items()}
        self._held.update({**bound, **taken})
        kept = [address for address, name in names.items() if name == kept_as(address)]
        for address in (*bound, *kept):
            self._own(address)
        return [address for address in bound if address not in self._replaced]

    def settle(self) -> list[str]:
        """What was opened anew stays: the next copy serves. Its addresses."""
        addresses = [*self._replaced]
        for held, _ in self._replaced.values():
            held.close()
        self._replaced.clear()
        return addresses

    def take_back(self) -> None:
        """What was opened anew goes: nobody answers there, the copy that serves has the other."""
        for address, (held, inode) in self._replaced.items():
            self._drop(address)
            self._held[address] = held
            if inode:
                self._paths[address] = inode
        self._replaced.clear()

    def elsewhere(self) -> list[str]:
        """Addresses whose path leads to another's socket, which we do not remove."""
        return [one for one in self._held if self._moved(one) and not self._lost(one)]

    def _lost(self, address: str) -> bool:
        """Whether there is nothing at its path, or what nobody listens on."""
        path = _path(address)
        return bool(path) and (not os.path.lexists(path) or (self._moved(address) and _dead(path)))

    def _moved(self, address: str) -> bool:
        """Whether what is at its path is not what we put there."""
        inode = self._paths.get(address)
        if inode is None:
            return False
        try:
            found = os.lstat(_path(address))
        except OSError:
            return False
        return (found.st_dev, found.st_ino) != inode

    def _own(self, address: str) -> None:
        """A path that we made goes with us; one that was given belongs to whoever gave it."""
        if path := _path(address):
            with contextlib.suppress(OSError):  # removed by somebody: nothing to remove
                found = os.stat(path)
                self._paths[address] = (found.st_dev, found.st_ino)

    def of(self, wanted: Iterable[Listen]) -> dict[str, socket.socket]:
        """By name, as a copy inherits them."""
        return {one.name: self._held[one.address] for one in wanted}

    def fileno(self, address: str) -> int:
        """Of one that is held."""
        return self._held[address].fileno()

    def keep_only(self, wanted: Iterable[Listen]) -> list[str]:
        """Close the others; their addresses. Copies that inherited them still have them."""
        addresses = {one.address for one in wanted}
        others = [address for address in self._held if address not in addresses]
        for address in others:
            self._drop(address)
        return others

    def to_json(self) -> dict[str, list[int]]:
        """For the one that takes our place: descriptor, and the path's inode."""
        return {
            address: [held.fileno(), *self._paths.get(address, ())]
            for address, held in self._held.items()
        }

    def from_json(self, data: Mapping[str, list[int]]) -> None:
        """What ``to_json`` told."""
        for address, (fd, *inode) in data.items():
            os.set_inheritable(fd, False)
            self._held[address] = socket.socket(fileno=fd)
            if inode:
                self._paths[address] = (inode[0], inode[1])

    def _drop(self, address: str) -> None:
        """Only the last owner of a path removes it, and only if it is still ours."""
        path, inode = _path(address), self._paths.pop(address, None)
        self._held.pop(address).close()
        if path and inode:
            with contextlib.suppress(OSError):
                found = os.stat(path)
                if (found.st_dev, found.st_ino) == inode:
                    os.unlink(path)


def kept_as(address: str) -> str:
    """The name under which the service manager keeps one for us: of ASCII, and without colons."""
    plain = (c if c.isascii() and c.isprintable() and c != ":" else "_" for c in address)
    return f"{KEPT}{''.join(plain)}"[:255]


def given_to_us(environment: Mapping[str, str]) -> dict[str, int]:
    """What was passed to us as LISTEN_FDS, by name; by number where there is none."""
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return {}
    count = int(environment.get("LISTEN_FDS") or 0)
    names = (environment.get("LISTEN_FDNAMES") or "").split(":")
    found = {}
    for number in range(count):
        fd = FIRST + number
        os.set_inheritable(fd, False)
        name = names[number] if number < len(names) else ""
        found[name if name and name not in found else str(fd)] = fd
    return found


def _named(one: Listen) -> socket.socket:
    try:
        return _bound(one)
    except OSError as error:
        raise OSError(error.errno, error.strerror, one.address) from None


def _matched(wanted: Iterable[Listen], given: Mapping[str, int]) -> dict[str, str]:
    """Address to the name of what was given for it: that of the same name, what we had kept
    ourselves, else that on the same address. One whose path has gone is nothing that anybody could
    connect to."""
    left, found = dict(given), {}
    for one in wanted:
        if (path := _path(one.address)) and not os.path.exists(path):
            continue
        likely = (name for name in (one.name, kept_as(one.address)) if name in left)
        there = (name for name, fd in left.items() if _is_at(fd, one.address))
        name = next(likely, None) or next(there, None)
        if name is not None:
            found[one.address] = name
            del left[name]
    return found


def _is_at(fd: int, address: str) -> bool:
    family, kind, at = parse(address)
    with socket.socket(fileno=os.dup(fd)) as held:
        try:
            same = held.family == family and held.type == kind
            name = held.getsockname()
        except OSError:
            return False
    if isinstance(name, bytes):
        name = "\0" + name[1:].decode(errors="surrogateescape")
    return same and (name[:2] if isinstance(name, tuple) else name) == at


def parse(address: str) -> tuple[int, int, tuple[str, int] | str]:
    """Family, type and what to bind to. Raises ValueError."""
    scheme, _, rest = address.partition("://")
    if scheme == "unix":
        at = "\0" + rest[1:] if rest.startswith("@") else rest
        return socket.AF_UNIX, socket.SOCK_STREAM, at
    host, _, port = rest.rpartition(":")
    if scheme not in ("tcp", "udp") or not port.isdigit():
        raise ValueError(f"not an address to listen on: {address}")
    kind = socket.SOCK_STREAM if scheme == "tcp" else socket.SOCK_DGRAM
    host = host.strip("[]")
    return (socket.AF_INET6 if ":" in host else socket.AF_INET), kind, (host, int(port))


def _path(address: str) -> str:
    path = address.removeprefix("unix://")
    return path if address.startswith("unix:///") else ""


def _bound(one: Listen) -> socket.socket:
    family, kind, at = parse(one.address)
    made = socket.socket(family, kind | socket.SOCK_CLOEXEC)
    try:
        if family != socket.AF_UNIX:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(kind == socket.SOCK_STREAM))
        if family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if path := _path(one.address):
            _clear(path)
        made.bind(at)
        if path:
            os.chmod(path, one.mode)
        if kind == socket.SOCK_STREAM:
            made.listen(one.backlog)
    except OSError:
        made.close()
        raise
    return made


def _clear(path: str) -> None:
    """Remove a socket that nobody listens on any more; raises EADDRINUSE for a living one."""
    try:
        if not stat.S_ISSOCK(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, "is there, and is not a socket", path)
    except FileNotFoundError:
        return
    if _dead(path):
        os.unlink(path)
    else:
        raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE), path)


def _dead(path: str) -> bool:
    """Whether it is a socket that nobody listens on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as asking:
        refused = asking.connect_ex(path) == errno.ECONNREFUSED
    return refused and stat.S_ISSOCK(os.lstat(path).st_mode)


def probe(kind: str) -> tuple[socket.socket, str]:
    """A private socket that only one copy answers on, and its address."""
    if kind == "unix":
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        made.bind("")  # the kernel chooses an abstract name
        name = made.getsockname()
        address = "unix:@" + name[1:].decode() if isinstance(name, bytes) else f"unix:{name}"
    else:
        made = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        made.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{made.getsockname()[1]}"
    made.listen(64)
    return made, address


def unblock(held: Mapping[str, socket.socket], private: socket.socket | None) -> None:
    """O_NONBLOCK, for all who have them. Woken for a connection that another process has taken, one
    that accepts would wait for the next, and hear nothing else: not even that it is to end."""
    for one in (*held.values(), *((private,) if private else ())):
        one.setblocking(False)


def inherited(
    held: Mapping[str, socket.socket], private: socket.socket | None, starters: Iterable[str]
) -> tuple[dict[int, int], dict[str, str], tuple[str, ...]]:
    """How a copy gets its sockets: descriptors, variables, and those set to its own number."""
    named = {**held, **({"probe": private} if private else {})}
    if not named:
        return {}, {}, ()
    fds = {FIRST + n: one.fileno() for n, one in enumerate(named.values())}
    variables = {"LISTEN_FDS": str(len(named)), "LISTEN_FDNAMES": ":".join(named)}
    public = {FIRST + n: one for n, one in enumerate(held.values())}
    if "server-starter" in starters:
        variables["SERVER_STARTER_PORT"] = ";".join(
            f"{_starter_name(one)}={fd}" for fd, one in public.items()
        )
    if "einhorn" in starters:
        variables["EINHORN_FD_COUNT"] = str(len(public))
        variables["EINHORN_MASTER_PID"] = str(os.getpid())
        variables.update((f"EINHORN_FD_{n}", str(fd)) for n, fd in enumerate(public))
    return fds, variables, ("LISTEN_PID",)


def _starter_name(one: socket.socket) -> str:
    at = one.getsockname()
    if one.family == socket.AF_UNIX:
        return at if isinstance(at, str) else "@" + at[1:].decode(errors="replace")
    host = f"[{at[0]}]" if one.family == socket.AF_INET6 else at[0]
    mark = "u" if one.type == socket.SOCK_DGRAM else ""
    return f"{mark}{at[1]}" if host == "0.0.0.0" else f"{host}:{mark}{at[1]}"  # noqa: S104
