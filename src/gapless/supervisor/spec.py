"""What one copy is to be: the plain data that a configuration becomes.

The resident part reads no YAML. A process of its own compiles the configuration into this, checked
and with defaults filled in; it is stored and compared as JSON. ``{slot}`` (a or b) may stand in the
command, the environment, the ready check and the proxy's targets, and ``{slot:ONE|OTHER}`` (ONE in
slot a, OTHER in slot b).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SLOT = "{slot}"
SLOTS = ("a", "b")
_SLOT = re.compile(r"\{slot(?::([^|{}]*)\|([^|{}]*))?\}")


def filled(text: str, slot: str) -> str:
    """What ``{slot}`` and ``{slot:ONE|OTHER}`` mean in one of the slots."""

    def value(found: re.Match[str]) -> str:
        one, other = found.groups()
        return slot if one is None else one if slot == SLOTS[0] else other

    return _SLOT.sub(value, text)


@dataclass(frozen=True)
class Listen:
    """A socket that the supervisor binds and all copies inherit. ``address``:
    ``tcp://HOST:PORT``, ``tcp://[V6]:PORT``, ``udp://HOST:PORT``, ``unix:///PATH``,
    ``unix://@ABSTRACT``. ``mode`` is of a unix path."""

    name: str
    address: str
    backlog: int = 4096
    mode: int = 0o666


@dataclass(frozen=True)
class Ready:
    """When a new copy counts as ready. ``kind``:

    alive    it has lived for ``after`` seconds
    notify   it sent READY=1 to $NOTIFY_SOCKET
    command  ``command`` ends with 0; it runs in the new copy's environment
    http     ``target`` answers with one of ``status`` (and ``body`` in it)
    tcp      ``target`` accepts
    unix     ``target`` accepts
    docker   container ``target`` is running, and healthy where it has a health check

    ``target``: ``HOST:PORT/PATH`` or ``unix:/SOCKET:/PATH`` (http), ``HOST:PORT`` (tcp), a path
    (unix), a container (docker). With ``probe`` it is a path alone, asked on the private socket.
    """

    kind: str = "alive"
    after: float = 5.0
    command: tuple[str, ...] = ()
    target: str = ""
    status: tuple[int, ...] = (200,)
    body: str = ""
    interval: float = 0.1
    """Between two attempts."""
    timeout: float = 5.0
    """Of one attempt."""
    successes: int = 1
    """That many in a row."""
    docker: str = "/var/run/docker.sock"


@dataclass(frozen=True)
class Stop:
    """How an old copy ends: wait ``delay``, send ``signal``, after ``timeout`` kill all of it."""

    delay: float = 0.0
    signal: int = 15
    timeout: float = 10.0


@dataclass(frozen=True)
class Proxy:
    """An address the supervisor answers itself and forwards to the active copy's own."""

    listen: str
    to: str
    """With ``{slot}``."""


@dataclass(frozen=True)
class Spec:
    """One configuration, complete."""

    name: str
    command: tuple[str, ...]
    source: str = ""
    """Path of the configuration; "" when it was given on the command line."""
    given: str = ""
    """What the command line said, for who compiles it again when one of ``inputs`` has changed."""
    inputs: tuple[tuple[str, int, int], ...] = ()
    """What it was made of: path, mtime in ns, size (-1 when missing)."""
    directory: str = ""
    environment: Mapping[str, str | None] = field(default_factory=dict)
    """Over the supervisor's own; None removes a variable."""
    listen: tuple[Listen, ...] = ()
    starters: tuple[str, ...] = ()
    """Other starters to look like: ``server-starter``, ``einhorn``."""
    nonblocking: bool = False
    """Hand sockets over with O_NONBLOCK; else as they are."""
    probe: str = ""
    """``tcp`` or ``unix``: hand each copy a private listening socket, called ``probe``."""
    proxy: tuple[Proxy, ...] = ()
    ready: Ready = Ready()
    start_timeout: float = 60.0
    settle: float = 2.0
    stop: Stop = Stop()
    max_draining: int = 4
    """Old copies that may drain at once."""
    flip_signal: int = 1
    signals: Mapping[str, int] = field(default_factory=dict)
    """Signal number to what is sent instead; 0 swallows it."""
    output: str = "auto"
    """``auto`` (pipes are relayed, all else inherited), ``inherit``, ``relay``."""
    pidfile: str = ""
    user: str = ""
    group: str = ""
    umask: int = -1
    limits: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    """``nofile`` and so on to soft and hard limit; -1 is infinity."""
    warnings: tuple[str, ...] = ()
    """Said once when a copy of it starts."""

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """What ``to_json`` wrote, also by an older version: unknown keys are an error, missing
        ones have their defaults. Raises ValueError."""
        try:
            return cls._of(json.loads(text))
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"not a spec: {error}") from error

    @classmethod
    def _of(cls, data: dict[str, Any]) -> Spec:
        nested: dict[str, Any] = {
            "listen": tuple(Listen(**one) for one in data.get("listen", ())),
            "proxy": tuple(Proxy(**one) for one in data.get("proxy", ())),
            "ready": _ready(data.get("ready", {})),
            "stop": Stop(**data.get("stop", {})),
            "inputs": tuple((str(p), int(m), int(s)) for p, m, s in data.get("inputs", ())),
            "limits": {k: (int(v[0]), int(v[1])) for k, v in data.get("limits", {}).items()},
        }
        words: dict[str, Any] = {
            key: tuple(data[key]) for key in ("command", "starters", "warnings") if key in data
        }
        complete: dict[str, Any] = {**data, **words, **nested}
        return cls(**complete)

    def same_as(self, other: Spec) -> bool:
        """Whether it means the same, whenever the files it was made of were written."""
        return replace(self, inputs=()) == replace(other, inputs=())

    def to_json(self) -> str:
        """One line."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @property
    def slotted(self) -> bool:
        """Whether two copies in one slot would disturb each other."""
        texts = (
            *self.command,
            *(value or "" for value in self.environment.values()),
            *self.ready.command,
            self.ready.target,
            *(proxy.to for proxy in self.proxy),
        )
        return any(_SLOT.search(text) for text in texts)

    def in_slot(self, slot: str) -> Spec:
        """With ``{slot}`` filled in."""

        def fill(text: str) -> str:
            return filled(text, slot)

        ready = replace(
            self.ready,
            command=tuple(fill(word) for word in self.ready.command),
            target=fill(self.ready.target),
        )
        return replace(
            self,
            command=tuple(fill(word) for word in self.command),
            environment={
                key: value if value is None else fill(value)
                for key, value in self.environment.items()
            },
            ready=ready,
            proxy=tuple(replace(proxy, to=fill(proxy.to)) for proxy in self.proxy),
        )


def _ready(data: dict[str, Any]) -> Ready:
    tuples: dict[str, Any] = {key: tuple(data[key]) for key in ("command", "status") if key in data}
    complete: dict[str, Any] = {**data, **tuples}
    return Ready(**complete)
