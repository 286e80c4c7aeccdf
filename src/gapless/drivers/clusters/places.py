"""Which member of a cluster runs on which of our hosts, where members do not tell."""

from __future__ import annotations

from collections.abc import Collection, Mapping


class Places:
    """What answered once keeps its place: a server that is down names itself to nobody."""

    def __init__(self, hosts: Collection[str]) -> None:
        self._hosts = tuple(hosts)
        self._known: dict[str, str] = {}

    def hosts(self, found: Mapping[str, str], members: Collection[str]) -> dict[str, str]:
        """By member its host. ``found``: by host the member that answered there. Of the others
        what is known from before holds, and the last host without a member has the last member
        without a host."""
        self._known.update(found)
        placed = {
            member: host
            for host, member in (self._known | dict(found)).items()
            if member in members and host in self._hosts
        }
        placed |= {member: host for host, member in found.items()}
        empty = [host for host in self._hosts if host not in placed.values()]
        homeless = [member for member in members if member not in placed]
        if len(empty) == len(homeless) == 1:
            placed[homeless[0]] = empty[0]
            self._known[empty[0]] = homeless[0]
        return placed

    def host(self, member: str) -> str | None:
        """Where it runs, as far as that was ever seen."""
        return next((host for host, known in self._known.items() if known == member), None)
