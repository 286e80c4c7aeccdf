"""What a member of etcd says of itself and of its cluster, read into facts. No side effects.

1. 64-bit numbers are text in etcd's JSON; what is 0, false or empty is left out of it.
2. Ids are decimal there, and hexadecimal for people and in etcdctl: here always the latter.
3. How far a member has got is ``raftAppliedIndex``. ``raftIndex`` is what it was sent.
4. The alarms a member knows of are among the errors of its status, as ``memberID:1 alarm:NOSPACE``.
   To ask for the alarms themselves would be a write, which needs a majority (seen in 3.4).
5. A status has no start time; the metrics at the same port have one, ``process_start_time_seconds``
   (what etcd's client of Prometheus tells of its process).

Source: api/etcdserverpb/rpc.proto of etcd 3.4 and 3.5.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_ALARM = re.compile(r"memberID:(\d+) alarm:(\w+)")
_BEGAN = re.compile(r"^process_start_time_seconds (\S+)$", re.MULTILINE)
_VERSION = re.compile(r"(\d+)\.(\d+)\.")


class NonsenseError(ValueError):
    """The answer is not what etcd answers."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """``kind``: NOSPACE or CORRUPT; ``member`` is whose it is."""

    member: str
    kind: str


@dataclass(frozen=True, slots=True)
class Status:
    """A member of itself. ``leader``: whom it follows, "" where it knows of none; ``applied``: the
    index of the last entry that it has applied; ``errors`` without the alarms."""

    id: str
    cluster: str
    leader: str = ""
    term: int = 0
    applied: int = 0
    version: str = ""
    learner: bool = False
    errors: tuple[str, ...] = ()
    alarms: tuple[Alarm, ...] = ()

    @property
    def leads(self) -> bool:
        """Whether it takes itself for the leader."""
        return self.id == self.leader

    @property
    def minor(self) -> tuple[int, int] | None:
        """Major and minor version."""
        found = _VERSION.match(self.version)
        return (int(found[1]), int(found[2])) if found else None


@dataclass(frozen=True, slots=True)
class Listed:
    """A member as the list of members has it. ``name`` is "" for one that never started."""

    id: str
    name: str = ""
    urls: tuple[str, ...] = ()
    learner: bool = False

    def __str__(self) -> str:
        return f"{self.id} ({self.name or 'never started'})"


def status(answer: Any) -> Status:
    """A member, in its answer to ``/v3/maintenance/status``."""
    try:
        said = [str(error).strip() for error in answer.get("errors", ())]
        return Status(
            id=_id(answer["header"]["member_id"]),
            cluster=_id(answer["header"]["cluster_id"]),
            leader=_id(answer["leader"]) if "leader" in answer else "",
            term=int(answer.get("raftTerm", 0)),
            applied=int(answer.get("raftAppliedIndex", 0)),
            version=str(answer.get("version", "")),
            learner=answer.get("isLearner", False) is True,
            errors=tuple(error for error in said if not _ALARM.fullmatch(error)),
            alarms=tuple(
                Alarm(_id(found[1]), found[2]) for found in map(_ALARM.fullmatch, said) if found
            ),
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None


def listed(answer: Any) -> dict[str, Listed]:
    """The members by id, in an answer to ``/v3/cluster/member/list``."""
    try:
        found = [_listed(member) for member in answer["members"]]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise NonsenseError from None
    return {member.id: member for member in found}


def began(metrics: str) -> str:
    """What names a process, in its answer to ``/metrics``; "" where that does not say."""
    found = _BEGAN.search(metrics)
    return found[1] if found else ""


def decimal(member: str) -> str:
    """An id as the gateway wants it."""
    return str(int(member, 16))


def _listed(member: Mapping[str, Any]) -> Listed:
    return Listed(
        id=_id(member["ID"]),
        name=str(member.get("name", "")),
        urls=tuple(str(url) for url in member.get("clientURLs", ())),
        learner=member.get("isLearner", False) is True,
    )


def _id(number: Any) -> str:
    return f"{int(number):x}"
