"""One running copy of the program: its process, sockets of its own, output, and times."""

from __future__ import annotations

import grp
import os
import pwd
import socket
from collections.abc import Callable, Mapping

from gapless.supervisor import processes, sockets
from gapless.supervisor.children import Child, Children, Launch, told
from gapless.supervisor.loop import Loop
from gapless.supervisor.notify import Manager, NotifySocket
from gapless.supervisor.outlet import Outlet
from gapless.supervisor.output import Output, source
from gapless.supervisor.spec import Spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_OURS = ("LISTEN_", "GAPLESS_", "WATCHDOG_", "SERVER_STARTER_PORT", "EINHORN_")
_NAMES = ("NOTIFY_SOCKET", "MAINPID", "FDSTORE")
_PERSON = ("HOME", "USER", "LOGNAME", "SHELL")
_NO_SHELLS = ("", "nologin", "false")


class Copy:
    """A generation. ``state``: starting, checking, settling, active, draining, stopping, gone."""

    def __init__(self, loop: Loop, mark: str, number: int, slot: str, spec: Spec) -> None:
        self._loop = loop
        self.mark, self.number, self.slot = mark, number, slot
        self.wanted, self.spec = spec, spec.in_slot(slot)
        self.state = "starting"
        self.times: dict[str, float] = {}
        """begun, exec, ready, commit, told (to stop), gone: seconds of the monotonic clock."""
        self.launch: Launch | None = None
        self.child: Child | None = None
        self.status: int | None = None
        self.errno = 0
        """Why it could not be started."""
        self.last: tuple[list[str], str] | None = None
        """Its last lines, taken before what it left was removed."""
        self.settings_of: int | None = None
        """The generation whose settings it goes back to (0: one of before we were started)."""
        self.ready_told = False
        self.says = ""
        """Its last STATUS=."""
        self.on_ready: Callable[[], None] = _nothing
        self.on_end: Callable[[], None] = _nothing
        self.on_message: Callable[[dict[str, str]], None] = _nothing_to_say
        self.notify: NotifySocket | None = None
        self.output: Output | None = None
        self.probe = ""
        self._private: socket.socket | None = None

    @property
    def pid(self) -> int:
        """0 when it was never started."""
        return self.child.pid if self.child else 0

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self.child is not None and self.status is None

    def start(
        self,
        children: Children,
        held: Mapping[str, socket.socket],
        manager: Manager,
        outlets: Mapping[int, Outlet],
    ) -> None:
        """Raises OSError, ValueError (no such user) when it cannot."""
        self.times["begun"] = self._loop.now()
        self.notify = NotifySocket(self._loop, self._heard)
        self.output = Output(self._loop, outlets, self.spec.output)
        if self.spec.probe:
            self._private, self.probe = sockets.probe(self.spec.probe)
        self.launch = self._launch(held, manager)
        self.child = children.start(self.launch, self._ended)
        self.output.given()
        self.times["exec"] = self._loop.now()

    def close(self) -> None:
        """Nothing of it is left."""
        self.state = "gone"
        for part in (self.notify, self.output, self._private):
            if part is not None:
                part.close()
        self.notify = self._private = None

    def ended_how(self) -> str:
        """In words."""
        return told(self.status) if self.status is not None else "is running"

    def last_lines(self) -> tuple[list[str], str]:
        """Its last lines, and where else to look."""
        return (self.output.last() if self.output else []), source()

    def seconds(self) -> dict[str, float]:
        """From the beginning to each moment."""
        begun = self.times.get("begun", 0.0)
        return {k: round(at - begun, 6) for k, at in self.times.items() if k != "begun"}

    def describe(self) -> dict[str, Any]:
        """For ``status``."""
        return {
            "generation": self.number,
            "pid": self.pid,
            "slot": self.slot,
            "state": self.state,
            "seconds": {
                **self.seconds(),
                "up": round(self._loop.now() - self.times.get("exec", self._loop.now()), 3),
            },
        }

    def _launch(self, held: Mapping[str, socket.socket], manager: Manager) -> Launch:
        spec = self.spec
        assert self.output is not None
        assert self.notify is not None
        if spec.nonblocking:
            sockets.unblock(held, self._private)
        fds, variables, own_pid = sockets.inherited(held, self._private, spec.starters)
        if manager.watchdog:
            variables["WATCHDOG_USEC"] = manager.watchdog
            own_pid = (*own_pid, "WATCHDOG_PID")
        uid, gid, groups = _credentials(spec.user, spec.group)
        return Launch(
            argv=spec.command,
            environment=self._environment(variables),
            directory=spec.directory,
            fds={**self.output.fds, **fds},
            uid=uid,
            gid=gid,
            groups=groups,
            umask=spec.umask,
            limits=spec.limits,
            pid_variables=own_pid,
        )

    def _environment(self, sockets_: Mapping[str, str]) -> dict[str, str]:
        assert self.notify is not None
        found = {k: v for k, v in os.environ.items() if not k.startswith(_OURS) and k not in _NAMES}
        if self.spec.user:
            found = {k: v for k, v in found.items() if k not in _PERSON} | _person(self.spec.user)
        for name, value in self.spec.environment.items():
            found.pop(name, None)
            if value is not None:
                found[name] = value
        found.update(
            sockets_,
            GAPLESS_NAME=self.spec.name,
            GAPLESS_GENERATION=str(self.number),
            GAPLESS_SLOT=self.slot,
            NOTIFY_SOCKET=self.notify.name,
            **{processes.MARK: self.mark},
        )
        if self.probe:
            found["GAPLESS_PROBE"] = self.probe
        return found

    def _heard(self, message: dict[str, str], sender: int, user: int) -> None:
        """Only of itself and what it started. Who sent and ended cannot be asked where he came
        from; he knew the name, which is random, but every user can list those of all sockets."""
        if processes.parent(sender) == -1:
            if user not in self._users():
                return
        elif not processes.within(sender, self.pid) and not self._of_us(sender):
            return
        if message.get("READY") == "1" and not self.ready_told:
            self.ready_told = True
            self.on_ready()
        self.says = message.get("STATUS", self.says)
        self.on_message(message)

    def _users(self) -> set[int]:
        own = _credentials(self.spec.user, "")[0]
        return {0, os.geteuid(), own} - {-1}

    def _of_us(self, pid: int) -> bool:
        return processes.session(pid) == self.pid or processes.marked(pid, self.mark)

    def _ended(self, status: int) -> None:
        self.status = status
        self.times["gone"] = self._loop.now()
        self.on_end()

    # -- over the replacement of our own process --------------------------------------------------

    def to_json(self) -> dict[str, Any]:
        """What ``from_json`` needs; descriptors stay open."""
        assert self.notify is not None
        assert self.output is not None
        return {
            "number": self.number,
            "slot": self.slot,
            "spec": self.wanted.to_json(),
            "state": self.state,
            "times": self.times,
            "mark": self.mark,
            "pid": self.pid,
            "ready_told": self.ready_told,
            "notify": self.notify.fileno(),
            "pipes": self.output.pipes(),
            "lines": list(self.output.lines),
            "probe": self.probe,
            "private": self._private.fileno() if self._private else -1,
        }

    @classmethod
    def from_json(
        cls,
        loop: Loop,
        children: Children,
        outlets: Mapping[int, Outlet],
        data: dict[str, Any],
    ) -> Copy:
        """The same copy, told of by the one whose place we took."""
        spec = Spec.from_json(data["spec"])
        self = cls(loop, data["mark"], data["number"], data["slot"], spec)
        self.state, self.times = data["state"], data["times"]
        self.ready_told, self.probe = data["ready_told"], data["probe"]
        self.notify = NotifySocket.inherited(loop, data["notify"], self._heard)
        self.output = Output.inherited(loop, outlets, data["pipes"], data["lines"])
        if data["private"] >= 0:
            os.set_inheritable(data["private"], False)
            self._private = socket.socket(fileno=data["private"])
        self.child = children.adopt(data["pid"], self.mark, self._ended)
        return self


def _credentials(user: str, group: str) -> tuple[int, int, tuple[int, ...] | None]:
    """Raises ValueError when there is no such user or group."""
    found = _account(user) if user else None
    try:
        gid = _group(group) if group else (found.pw_gid if found else -1)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None
    groups = tuple(os.getgrouplist(found.pw_name, gid)) if found else ((gid,) if group else None)
    return (found.pw_uid if found else -1), gid, groups


def _account(user: str) -> pwd.struct_passwd:
    """By name or number."""
    try:
        return pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError as error:
        raise ValueError(str(error.args[0])) from None


def _group(group: str) -> int:
    return int(group) if group.isdigit() else grp.getgrnam(group).gr_gid


def _person(user: str) -> dict[str, str]:
    """What a login would set; a shell that refuses logins is none."""
    found = _account(user)
    variables = {"HOME": found.pw_dir, "USER": found.pw_name, "LOGNAME": found.pw_name}
    if os.path.basename(found.pw_shell) not in _NO_SHELLS:
        variables["SHELL"] = found.pw_shell
    return variables


def _nothing() -> None: ...


def _nothing_to_say(_message: dict[str, str]) -> None: ...
