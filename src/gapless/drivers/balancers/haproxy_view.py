"""What HAProxy says on its runtime API, read into facts. No side effects."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field

PASSED = frozenset({"L4OK", "L6OK", "L7OK", "L7OKC"})
# srv_admin_state, "show servers state" in HAProxy's management guide. CMAINT (0x04) only remembers
# that the configuration said "disabled", and stays set after "state ready": it must not count.
_MAINT = 0x01 | 0x02 | 0x20
_DRAIN = 0x08 | 0x10
_CHECK_ENABLED = 0x04
_STOPPED, _STARTING, _RUNNING = 0, 1, 2


class NonsenseError(ValueError):
    """The answer is not what HAProxy answers; its text is the evidence."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server line of a backend."""

    name: str
    status: str
    operation: int
    admin: int
    weight: int
    checking: bool
    check: str
    sessions: int
    queued: int
    figures: Mapping[str, str] = field(default_factory=dict)

    @property
    def maint(self) -> bool:
        """Whether it is in maintenance: no traffic and no checks."""
        return bool(self.admin & _MAINT)

    @property
    def out(self) -> bool:
        """Whether it was told to take no new traffic. The status does not tell: a drained server
        whose checks fail is shown DOWN."""
        return bool(self.admin & (_MAINT | _DRAIN))

    @property
    def idle(self) -> bool:
        """Whether nothing is open or queued."""
        return self.sessions == 0 and self.queued == 0

    @property
    def stopped(self) -> bool:
        """Whether its checks (or maintenance) keep it down."""
        return self.operation == _STOPPED

    @property
    def up(self) -> bool:
        """Whether it gets new traffic."""
        return self.operation in (_STARTING, _RUNNING) and not self.out and self.weight > 0

    @property
    def passed(self) -> bool:
        """Whether its last check passed. UP alone does not say so: after maintenance it is
        ``UP 1/2`` with check ``INI``, and gets traffic before any check."""
        return self.check in PASSED

    @property
    def serving(self) -> bool:
        """Up, and as far as its checks can tell rightly so."""
        return self.up and (self.passed or not self.checking)

    def __str__(self) -> str:
        check = f"check {self.check or 'none yet'}" if self.checking else "no check"
        parts = [self.status, check, f"{self.sessions} open", f"{self.queued} queued"]
        if self.weight == 0:
            parts.append("weight 0")
        return f"{self.name} {', '.join(parts)}"


@dataclass(frozen=True, slots=True)
class View:
    """One backend as one HAProxy process sees it. ``life`` names the process."""

    life: str
    servers: Mapping[str, Server]


def questions(backend: str) -> str:
    """The commands whose answers ``parse`` reads, as one line: one round trip, one moment."""
    return f"show info;show stat {backend} 4 -1;show servers state {backend}"


def parse(answer: str) -> View:
    """The view in the answer to ``questions``. Raises NonsenseError."""
    blocks = [block for block in answer.replace("\r", "").split("\n\n") if block.strip()]
    if len(blocks) != 3 or not answer.endswith("\n\n"):  # three answers, the last one complete
        raise NonsenseError(answer)
    info, stat, state = blocks
    try:
        states = _states(state)
        figures = _figures(stat)
        servers = {name: _server(figures[name], states[name]) for name in states}
        return View(_life(info), servers)
    except (KeyError, ValueError, IndexError):
        raise NonsenseError(answer) from None


def _life(info: str) -> str:
    facts = dict(line.split(": ", 1) for line in info.strip().splitlines() if ": " in line)
    return f"{facts['Pid']} {facts.get('Start_time_sec', '')}".strip()


def _figures(stat: str) -> dict[str, dict[str, str]]:
    lines = stat.strip().splitlines()
    if not lines[0].startswith("# pxname,"):
        raise ValueError(lines[0])
    lines[0] = lines[0][2:]
    return {row["svname"]: row for row in csv.DictReader(lines)}


def _states(state: str) -> dict[str, dict[str, str]]:
    version, header, *lines = state.strip().splitlines()
    if version.strip() != "1" or not header.startswith("# "):
        raise ValueError(version)
    names = header[2:].split()
    rows = (dict(zip(names, line.split(), strict=False)) for line in lines)
    return {row["srv_name"]: row for row in rows}


def _server(figures: Mapping[str, str], state: Mapping[str, str]) -> Server:
    return Server(
        name=figures["svname"],
        status=figures["status"],
        operation=int(state["srv_op_state"]),
        admin=int(state["srv_admin_state"]),
        weight=int(state["srv_uweight"]),
        checking=bool(int(state["srv_check_state"]) & _CHECK_ENABLED),
        check=figures["check_status"].lstrip("* "),  # "* L7OK" while the next one is under way
        sessions=int(figures["scur"]),
        queued=int(figures["qcur"]),
        figures=dict(figures),
    )
