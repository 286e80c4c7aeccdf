"""A systemd unit of this machine as it is: what ``systemctl cat`` and ``systemctl show`` tell.

The command is taken from the text of the unit, word for word: specifiers, variables and quotes are
systemd's to read, before and after.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gapless.errors import Refused, UsageError

SOCKETS = {"Stream": "tcp", "Datagram": "udp"}
"""Kinds of sockets that can be handed on, and how an internet address of them is written."""
_FACTS = (
    "Id", "LoadState", "NeedDaemonReload", "FragmentPath", "DropInPaths", "Type", "User",
    "DynamicUser", "EnvironmentFiles", "ExecStart", "ExecStop", "ExecReload", "ExecStartPre",
    "ExecStartPost", "KillMode", "KillSignal", "RestartKillSignal", "SendSIGKILL", "Restart",
    "SuccessExitStatus", "RestartForceExitStatus", "RestartPreventExitStatus", "TimeoutStartUSec",
    "TimeoutStopUSec", "RuntimeDirectory", "RuntimeDirectoryPreserve", "FileDescriptorStoreMax",
    "TriggeredBy", "RestrictAddressFamilies", "ProtectHome", "RootDirectory", "RootImage",
    "SyslogIdentifier",
)  # fmt: skip
_PATIENCE = 30.0
_UNIT = re.compile(r"[A-Za-z0-9:_.\\@-]+\.service")


@dataclass(frozen=True)
class Socket:
    """One that systemd opens for the unit: its name in LISTEN_FDNAMES, kind and address."""

    name: str
    kind: str
    address: str


@dataclass(frozen=True)
class Unit:
    """``files`` has its file and the drop-ins, by path, in the order in which they are read."""

    name: str
    files: Mapping[str, str]
    facts: Mapping[str, str] = field(default_factory=dict)
    sockets: tuple[Socket, ...] = ()
    accepts: bool = False
    """A socket unit starts one process for each connection."""

    def fact(self, name: str) -> str:
        """A property; empty when systemd does not tell."""
        return self.facts.get(name, "")

    def without(self, path: str) -> str:
        """The text of all files but one."""
        return "\n".join(text for file, text in self.files.items() if file != path)

    @property
    def starts(self) -> list[str]:
        """Every ExecStart= that counts, as written."""
        return commands("\n".join(self.files.values()))

    @property
    def program(self) -> str:
        """What systemd executes; empty when that is not clear."""
        found = re.match(r"\{ path=(\S+) ;", self.fact("ExecStart"))
        return found[1] if found else ""


def unit_name(text: str) -> str:
    """With its suffix. Raises UsageError for what is no service, or is a template."""
    name = text if "." in text and text.rpartition(".")[2] in _SUFFIXES else f"{text}.service"
    if not _UNIT.fullmatch(name):
        raise UsageError(f"'{text}' is not a service", next="systemctl list-units --type=service")
    stem = name.removesuffix(".service")
    if stem.endswith("@"):
        raise UsageError(
            f"'{name}' is a template; name one of its instances", next=f"gapless run adopt {stem}1"
        )
    return name


_SUFFIXES = (
    "service", "socket", "timer", "target", "path", "mount", "automount", "slice", "scope", "swap",
    "device",
)  # fmt: skip


def own_name(name: str) -> str:
    """Of a unit that is known by several: that of its file."""
    return _pairs(systemctl("show", name, "--property=Id")).get("Id") or name


def read(name: str) -> Unit:
    """Ask systemd. Raises Refused when it does not know the unit."""
    facts = _pairs(systemctl("show", name, f"--property={','.join(_FACTS)}"))
    _loaded(name, facts.get("LoadState", ""))
    own = facts.get("Id") or name
    told = _socket_units(own, facts.get("TriggeredBy", "").split())
    return Unit(
        own,
        files(systemctl("cat", name), [facts["FragmentPath"], *facts["DropInPaths"].split()]),
        facts,
        tuple(socket for unit, text in told.items() for socket in sockets(unit, text)),
        any(_pairs(text).get("Accept") == "yes" for text in told.values()),
    )


def _socket_units(name: str, known: Sequence[str]) -> dict[str, str]:
    """What systemd tells of those that start the unit; one that is not in use it does not know by
    itself."""
    names = dict.fromkeys((*known, f"{name.removesuffix('.service')}.socket"))
    told = {
        unit: systemctl("show", unit, "--property=Triggers,Listen,FileDescriptorName,Accept")
        for unit in names
        if unit.endswith(".socket")
    }
    return {
        unit: text
        for unit, text in told.items()
        if name in _pairs(text).get("Triggers", "").split()
    }


def _loaded(name: str, state: str) -> None:
    if state == "masked":
        raise Refused(f"{name} is masked", next=f"systemctl unmask {name}")
    if state == "not-found":
        raise Refused(f"systemd has no {name}", next="systemctl list-unit-files --type=service")
    if state != "loaded":
        raise Refused(
            f"systemd cannot read {name}",
            evidence=f"LoadState={state}",
            next=f"systemctl status {name}",
        )


def files(text: str, paths: Sequence[str]) -> dict[str, str]:
    """What ``systemctl cat`` prints, by file."""
    found: dict[str, str] = {}
    path = ""
    for line in text.splitlines():
        if line.removeprefix("# ") in paths and line.startswith("# "):
            path = line.removeprefix("# ")
            found[path] = ""
        elif path:
            found[path] += f"{line}\n"
    return {path: part.strip("\n") for path, part in found.items()}


def commands(text: str, key: str = "ExecStart") -> list[str]:
    """Of unit files one after the other; an empty assignment forgets those before it."""
    found: list[str] = []
    section = ""
    for line in _lines(text):
        if line.startswith("["):
            section = line
        name, equals, value = line.partition("=")
        if section == "[Service]" and equals and name.rstrip() == key:
            found = [*found, value.strip()] if value.strip() else []
    return found


def _lines(text: str) -> Iterator[str]:
    """Without comments; a backslash at the end goes on, over comments too."""
    begun = ""
    for line in text.splitlines():
        stripped = line.lstrip()
        if stripped.startswith(("#", ";")):
            continue
        if line.endswith("\\"):
            begun += line[:-1] + " "
            continue
        yield (begun + line).strip()
        begun = ""
    if begun:
        yield begun.strip()


def sockets(unit: str, text: str) -> Iterator[Socket]:
    """What ``systemctl show`` tells of a socket unit."""
    name = _pairs(text).get("FileDescriptorName") or unit
    for line in text.splitlines():
        if line.startswith("Listen="):
            address, _, kind = line.removeprefix("Listen=").rpartition(" (")
            yield Socket(name, kind.rstrip(")"), address)


def _pairs(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def systemctl(*words: str) -> str:
    """Its answer. Raises Refused with what it said."""
    said = _ran(["systemctl", "--no-pager", *words])
    if said.returncode != 0:
        raise Refused(
            f"systemctl {' '.join(words[:2])} failed", evidence=(said.stderr or said.stdout).strip()
        )
    return said.stdout


def _ran(words: Sequence[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
            timeout=_PATIENCE, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise Refused("there is no systemctl here") from None
    except subprocess.TimeoutExpired:
        raise Refused(f"systemctl gave no answer within {_PATIENCE:g} s") from None
