"""What can be right by itself and wrong together, in a run file."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gapless.config.process import NAME, ListenConfig, ProcessConfig, ReadyConfig
from gapless.config.references import Finding
from gapless.config.signals import signal_name
from gapless.config.slots import differs, in_both, mistyped
from gapless.config.sockets import PROBE

KINDS = ("alive", "notify", "command", "http", "tcp", "unix", "docker")
_ADDRESSES = ("http", "tcp", "unix", "docker")


def check(config: ProcessConfig) -> Iterator[Finding]:
    """Every objection."""
    yield from _ready(config.ready)
    yield from _sockets(config)
    yield from _signals(config)
    yield from _placeholders(config)
    yield from _as_a_pair(config) if config.paired else _as_one(config)
    if config.starters and not config.listen:
        text = "starters: nothing is handed on without listen"
        yield Finding(("starters",), text, "add listen")


def kinds(ready: ReadyConfig) -> tuple[str, ...]:
    """Which questions are asked."""
    return tuple(kind for kind in KINDS if getattr(ready, kind))


def _ready(ready: ReadyConfig) -> Iterator[Finding]:
    given = kinds(ready)
    if len(given) != 1:
        told = f"{' and '.join(given)} are given; " if given else ""
        yield Finding(("ready",), f"ready: {told}give exactly one of {', '.join(KINDS)}")
    if "http" not in given:
        for key in {"status", "body"} & ready.model_fields_set:
            yield Finding(("ready", key), f"{key} belongs to an http check")
    for kind in _ADDRESSES:
        target = getattr(ready, kind)
        if target and not (ready.shared or differs(target) or target.startswith(PROBE)):
            yield Finding(("ready", kind), *_also_the_old(kind, target))


def _also_the_old(kind: str, target: str) -> tuple[str, str]:
    text = (
        f"{kind}: '{target}' is answered by the old copy, too: the check would pass while the new "
        "one is not ready"
    )
    private = f"ask {PROBE}/…, " if kind == "http" else ""
    return text, f"{private}write {{slot}} in it, or say shared: true"


def probe_kind(config: ProcessConfig) -> str:
    """The kind of private socket: asked for, or needed by the check."""
    needed = (config.ready.http or "").startswith(PROBE)
    return config.probe or ("tcp" if needed else "")


def _sockets(config: ProcessConfig) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for path, address in _addresses(config):
        if address in seen:
            text = f"{path[0]}: {address} is given twice"
            yield Finding(path, text, f"see {seen[address]}")
        seen.setdefault(address, str(path[0]))
    names: set[str] = set()
    for index, one in enumerate(config.listen):
        yield from _listen(("listen", index), one, names)


def _addresses(config: ProcessConfig) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for index, one in enumerate(config.listen):
        yield ("listen", index, "address"), one.address
    for index, other in enumerate(config.proxy):
        yield ("proxy", index, "listen"), other.listen


def _listen(path: tuple[str | int, ...], one: ListenConfig, names: set[str]) -> Iterator[Finding]:
    if one.name == PROBE[:-1]:
        yield Finding((*path, "name"), "name: probe is the name of the private socket")
    elif one.name in names:
        yield Finding((*path, "name"), f"name: two sockets are called {one.name}")
    if one.name:
        names.add(one.name)
    if one.mode is not None and not one.address.startswith("unix:///"):
        yield Finding((*path, "mode"), "mode belongs to the path of a unix socket")


def _signals(config: ProcessConfig) -> Iterator[Finding]:
    if config.flip_signal in config.signals:
        name = signal_name(config.flip_signal)
        yield Finding(("signals",), f"signals: {name} starts a flip and is never passed on")


def _placeholders(config: ProcessConfig) -> Iterator[Finding]:
    """Only words that look like a slot: other braces may be the program's own."""
    told = "in the place of {slot} or {slot:ONE|OTHER}"
    for path, words in (("command",), config.command), (("ready", "command"), config.ready.command):
        for word in words or ():
            for found in mistyped(word):
                yield Finding(path, f"{path[-1]}: unknown placeholder {found}", told)
    for name, value in config.environment.items():
        if any(mistyped(value or "")):
            yield Finding(("environment", name), f"{name}: a mistyped placeholder", told)


def _as_one(config: ProcessConfig) -> Iterator[Finding]:
    """Both copies have one supervisor."""
    for key in ("directory", "pidfile"):
        if differs(getattr(config, key) or ""):
            yield Finding((key,), f"{key}: is the same in both slots; {{slot}} means nothing here")
    for path, address in _addresses(config):
        if differs(address):
            text = f"'{address}': one socket serves both copies, nothing is filled in here"
            yield Finding(
                path,
                f"{path[0]}: {text}",
                "write {slot} in the name, too: then each copy has a supervisor of its own",
            )


def _as_a_pair(config: ProcessConfig) -> Iterator[Finding]:
    """Two supervisors, which share no socket and no file."""
    if not all(re.fullmatch(NAME, one) for one in in_both(config.name or "")):
        yield Finding(("name",), f"name: '{config.name}' is too long with what it stands for")
    if config.proxy:
        text = "proxy: each of two processes has an address of its own"
        yield Finding(("proxy",), text, "give it to a balancer, or leave {slot} out of the name")
    for index, one in enumerate(config.listen):
        if not differs(one.address):
            text = f"listen: '{one.address}' is the same for both: the second cannot open it"
            hint = "let it differ, as in 127.0.0.1:{slot:3001|3002}"
            yield Finding(("listen", index, "address"), text, hint)
    if config.pidfile and not differs(config.pidfile):
        text = f"pidfile: '{config.pidfile}' is the same for both: each would write its number"
        yield Finding(("pidfile",), text, "write {slot} in it")
