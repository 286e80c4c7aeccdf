"""A run file: one supervised process, for ``gapless run``."""

from __future__ import annotations

import grp
import pwd
import re
import resource
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import (
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from gapless.config.base import Section
from gapless.config.health import Status
from gapless.config.problems import did_you_mean
from gapless.config.quantities import Argv, Duration, Flag, Limit, Names, OneOrMany, Positive
from gapless.config.signals import parse_catchable, parse_replacement, parse_signal
from gapless.config.slots import differs
from gapless.config.sockets import (
    parse_forward,
    parse_http,
    parse_listen,
    parse_stream,
    parse_tcp,
    parse_unix,
)

NAME = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,62}$"
_SLOT = r"\{slot(?::[A-Za-z0-9._@-]*\|[A-Za-z0-9._@-]*)?\}"
NAME_OF_BOTH = rf"^(?:[A-Za-z0-9]|{_SLOT})(?:[A-Za-z0-9._@-]|{_SLOT}){{0,62}}$"
"""The same, and ``{slot}`` or ``{slot:ONE|OTHER}`` in it: a name for each slot."""
UNLIMITED = -1
LIMITS: Mapping[str, int] = {
    name.removeprefix("RLIMIT_").lower(): getattr(resource, name)
    for name in dir(resource)
    if name.startswith("RLIMIT_") and name != "RLIMIT_OFILE"
}
"""Resource limits of this system."""

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = ("LISTEN_", "GAPLESS_", "WATCHDOG_")
_OURS_TOO = ("NOTIFY_SOCKET", "MAINPID")


def parse_variable(value: Any) -> Any:
    """The name of an environment variable that is not ours to set."""
    if not isinstance(value, str) or not _VARIABLE.fullmatch(value):
        raise ValueError("the name of a variable has letters, digits and _")
    if value.startswith(_OURS) or value in _OURS_TOO:
        raise ValueError("gapless sets it for each copy")
    return value


def parse_value(value: Any) -> Any:
    """Text, or a whole number. What it is never stands in an error."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, str) and "\0" in value:
        raise ValueError("a value cannot hold a NUL byte")
    return value


def parse_octal(value: Any) -> int:
    """Permission bits as chmod and umask take them: 0660, 660."""
    text = str(value).removeprefix("0o")
    if isinstance(value, (bool, float)) or not re.fullmatch(r"[0-7]{1,4}", text):
        raise ValueError("write permission bits in octal, for example 0660")
    return int(text, 8)


def parse_limit_name(value: Any) -> Any:
    """A resource limit of this system."""
    if value not in LIMITS:
        raise ValueError(
            f"unknown limit — {did_you_mean(str(value), LIMITS) or 'see getrlimit(2)'}"
        )
    return value


def parse_limit_pair(value: Any) -> tuple[int, int]:
    """Soft and hard limit of a number, ``unlimited``, or a list of two."""
    soft, hard = value if isinstance(value, (list, tuple)) and len(value) == 2 else (value, value)
    pair = _limit(soft), _limit(hard)
    if pair[1] != UNLIMITED and not 0 <= pair[0] <= pair[1]:
        raise ValueError("the soft limit is above the hard one; write [soft, hard]")
    return pair


def _limit(value: Any) -> int:
    if value in ("unlimited", UNLIMITED):
        return UNLIMITED
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("write a number, unlimited, or [soft, hard]")
    return value


def parse_user(value: Any) -> str:
    """A user of this machine, by name or number."""
    return _account(value, "user", {entry.pw_name for entry in pwd.getpwall()}, pwd.getpwnam)


def parse_group(value: Any) -> str:
    """A group of this machine, by name or number."""
    return _account(value, "group", {entry.gr_name for entry in grp.getgrall()}, grp.getgrnam)


def _account(value: Any, kind: str, known: set[str], find: Any) -> str:
    text = str(value)
    if isinstance(value, bool) or not isinstance(value, (str, int)) or not text:
        raise ValueError(f"write the name of a {kind}")
    if text.isascii() and text.isdigit():
        return text
    try:
        find(text)
    except KeyError:
        hint = did_you_mean(text, known)
        hint = f" — {hint}" if hint else ""
        raise ValueError(f"there is no {kind} '{text}' here{hint}") from None
    return text


def parse_probe(value: Any) -> Any:
    """``true`` is the usual kind."""
    return {True: "tcp", False: None}.get(value, value) if isinstance(value, bool) else value


_TEXT = WithJsonSchema({"type": ["string", "integer"]})
_ADDRESS = WithJsonSchema({"type": ["string", "integer"], "examples": ["tcp://127.0.0.1:8080"]})

Signal = Annotated[int, BeforeValidator(parse_signal), _TEXT]
"""Any signal."""
Catchable = Annotated[int, BeforeValidator(parse_catchable), _TEXT]
"""A signal that can be received."""
Replacement = Annotated[int, BeforeValidator(parse_replacement), _TEXT]
"""A signal, or ``ignore``."""
Octal = Annotated[int, BeforeValidator(parse_octal), _TEXT]
"""Permission bits."""
ListenAddress = Annotated[str, BeforeValidator(parse_listen), _ADDRESS]
"""Where a socket is opened."""
StreamAddress = Annotated[str, BeforeValidator(parse_stream), _ADDRESS]
"""The same, for connections only."""
Forward = Annotated[
    str,
    BeforeValidator(parse_forward),
    WithJsonSchema({"type": ["string", "object"], "examples": ["unix:///run/web-{slot}.sock"]}),
]
"""The copies' own addresses."""
HttpTarget = Annotated[str, BeforeValidator(parse_http), _ADDRESS]
"""What is asked by HTTP."""
TcpTarget = Annotated[str, BeforeValidator(parse_tcp), _ADDRESS]
"""What must accept a TCP connection."""
UnixTarget = Annotated[str, BeforeValidator(parse_unix), _ADDRESS]
"""What must accept a connection on a unix socket."""
Variable = Annotated[str, BeforeValidator(parse_variable)]
"""The name of an environment variable."""
Value = Annotated[str | None, BeforeValidator(parse_value)]
"""Of an environment variable."""
LimitName = Annotated[str, BeforeValidator(parse_limit_name)]
"""nofile and so on."""
LimitPair = Annotated[
    tuple[int, int],
    BeforeValidator(parse_limit_pair),
    WithJsonSchema({"type": ["integer", "string", "array"], "examples": [65536, "unlimited"]}),
]
"""Soft and hard limit."""
User = Annotated[str, BeforeValidator(parse_user), _TEXT]
"""A user of this machine."""
Group = Annotated[str, BeforeValidator(parse_group), _TEXT]
"""A group of this machine."""
Probe = Annotated[Literal["tcp", "unix"] | None, BeforeValidator(parse_probe)]
"""What kind of private socket each copy gets."""


class ListenConfig(Section):
    """A socket that gapless opens once and hands to every copy; an address alone is enough."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._@-]{1,63}$")] | None = None
    """What the program finds it by in LISTEN_FDNAMES; default: the port, or the file's name."""
    address: ListenAddress
    """``tcp://127.0.0.1:80``, ``tcp://[::1]:80``, ``udp://…``, ``unix:///run/web.sock``,
    ``unix://@name``; a port alone is on 127.0.0.1."""
    backlog: Positive = 4096
    """Connections that may wait in its queue."""
    mode: Octal | None = None
    """Permission bits of a unix socket's path; default: 0666."""


class _AddressAlone:
    """Marks a socket that may be written as its address."""

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        """Make the address a mapping before it is validated."""
        return core_schema.no_info_before_validator_function(_socket, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """An address, or a mapping with one."""
        return {"anyOf": [{"type": ["string", "integer"]}, handler(schema)]}


def _socket(value: Any) -> Any:
    return {"address": value} if isinstance(value, (str, int)) else value


Listen = Annotated[ListenConfig, _AddressAlone()]
"""A socket, or its address alone."""


class ProxyConfig(Section):
    """An address that gapless answers itself and passes on to the active copy's own."""

    listen: StreamAddress
    """The public address, written as in listen."""
    to: Forward
    """Where the copies listen: ``unix:///run/web-{slot}.sock``, ``127.0.0.1:{slot:8001|8002}``, or
    a mapping of ``a`` and ``b``."""


class ReadyConfig(Section):
    """When a new copy counts as ready. Give exactly one of alive, notify, command, http, tcp, unix,
    docker."""

    alive: Limit | None = None
    """It has lived this long."""
    notify: Flag = False
    """It said READY=1 on the socket in NOTIFY_SOCKET."""
    command: Argv | None = None
    """A program in the new copy's environment ends with 0."""
    http: HttpTarget | None = None
    """This answers: ``probe:/health``, ``127.0.0.1:{slot:8001|8002}/health``,
    ``unix:/run/web-{slot}.sock:/health``."""
    tcp: TcpTarget | None = None
    """This accepts a connection: ``127.0.0.1:{slot:8001|8002}``."""
    unix: UnixTarget | None = None
    """This accepts a connection: ``/run/web-{slot}.sock``."""
    docker: Annotated[str, Field(min_length=1)] | None = None
    """A container is running and, where it has a health check, healthy: ``web-{slot}``."""
    docker_socket: str = "/var/run/docker.sock"
    """Where Docker answers."""
    interval: Limit = 0.1
    """Between two attempts."""
    timeout: Limit = 5.0
    """Limit of one attempt; a command is ended with all it started."""
    successes: Positive = 1
    """That many in a row."""
    status: Status = 200
    """Which HTTP status codes are wanted."""
    body: str = ""
    """Text that the HTTP answer must contain."""
    shared: Flag = False
    """Ask an address that the old copy answers, too. Then nothing is proved about the new one."""


class StopConfig(Section):
    """How an old copy ends."""

    delay: Duration = 0.0
    """Waited before it is told."""
    signal: Signal = 15
    """What it is told with, by name or number."""
    timeout: Limit = 10.0
    """How long it may take; then it is killed with all it started."""


class ProcessConfig(Section):
    """One mapping, read again at each flip."""

    name: Annotated[str, Field(pattern=NAME_OF_BOTH)] | None = None
    """What ``gapless flip`` knows it by; default: the file's name without its suffix. With
    ``{slot}`` in it the file is that of two processes, a pair: ``--name`` says which of them is
    run, and its slot is what ``{slot}`` stands for everywhere in the file."""
    command: Argv
    """The program and its arguments."""
    directory: str | None = None
    """Where it is started; default: where gapless run was."""
    environment: dict[Variable, Value] = Field(default_factory=dict)
    """Variables over those that gapless run has itself; ``null`` removes one."""
    env_files: Names = ()
    """Files of KEY=VALUE lines as systemd reads them, under environment; with a leading ``-`` a
    file may be missing."""
    listen: Annotated[tuple[Listen, ...], OneOrMany()] = ()
    """Sockets that gapless opens and hands to both copies: no request is lost between them."""
    starters: Annotated[tuple[Literal["server-starter", "einhorn"], ...], OneOrMany()] = ()
    """Starters whose variables the program reads instead of LISTEN_FDS."""
    probe: Probe = None
    """Hand each copy a private socket named ``probe``, for checks that only it can answer
    (``true``: tcp). A check of ``http: probe:/…`` brings it."""
    nonblocking: bool = False
    """Sockets do not block (``NonBlocking=`` of systemd): for programs of which several processes
    accept on them and leave the mode as it is, as nginx does."""
    proxy: Annotated[tuple[ProxyConfig, ...], OneOrMany()] = ()
    """For programs that can neither inherit a socket nor share a port."""
    ready: ReadyConfig = ReadyConfig.model_validate({"alive": "5s"})
    """When a new copy is ready; default: when it has lived for 5s."""
    start_timeout: Limit = 60.0
    """How long a new copy may take to become ready."""
    settle: Duration = 2.0
    """How long a ready copy is watched before the old one is stopped."""
    stop: StopConfig = StopConfig()
    """How an old copy is told to end, and how long it may take."""
    max_draining: Positive = 4
    """Old copies that may be ending at the same time; at least 1."""
    flip_signal: Catchable = 1
    """The signal that starts a flip, by name or number; it is never passed on."""
    signals: dict[Catchable, Replacement] = Field(default_factory=dict)
    """What is passed on instead of a signal, or ``ignore``; the others are passed on unchanged."""
    output: Literal["auto", "inherit", "relay"] = "auto"
    """Who writes what the program prints; auto: pipes are relayed, everything else is inherited."""
    pidfile: str | None = None
    """File for others to read our process number from; it is never read."""
    user: User | None = None
    """Run as this user, by name or number, with its HOME, USER, LOGNAME and SHELL."""
    group: Group | None = None
    """Run as this group; default: the user's."""
    umask: Octal | None = None
    """File mode mask, in octal."""
    limits: dict[LimitName, LimitPair] = Field(default_factory=dict)
    """Resource limits: ``nofile: 65536``, ``nofile: [1024, 65536]`` or ``core: unlimited``."""

    @property
    def paired(self) -> bool:
        """Whether it is two processes, one a slot, each supervised by itself."""
        return differs(self.name or "")
