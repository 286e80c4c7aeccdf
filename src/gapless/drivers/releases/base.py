"""The release contract: bring a version next to the live one, switch to it, go back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gapless.drivers.releases.built import Artifact
from gapless.drivers.transports.base import Transport
from gapless.model import Command


@dataclass(frozen=True, slots=True)
class ReleaseRef:
    """One version: ``name`` is its folder (short content digest or given), ``digest`` what its
    content is, ``schema`` the schema version it declares, ``reads`` the versions it can live
    with, ``commit`` the full commit when it is from git, ``artifact`` the digest of what its build
    left when there is one. ``notes`` are sentences for a plan, ``built`` is that artifact as the
    controller has it: nothing keeps these two."""

    name: str
    digest: str = ""
    path: str = ""
    """Folder on the host."""
    schema: int | None = None
    reads: tuple[int, int] | None = None
    commit: str = ""
    artifact: str = ""
    notes: tuple[str, ...] = field(default=(), compare=False)
    built: Artifact | None = field(default=None, compare=False)

    def newest(self, live: int) -> int:
        """Newest schema version it can live with; ``live`` counts for one that declares none, the
        version that was live while it was."""
        return self.reads[1] if self.reads else live if self.schema is None else self.schema

    def to_json(self) -> dict[str, Any]:
        """Plain data for plan and journal; commit and artifact only where there is one."""
        origin = {"commit": self.commit, "artifact": self.artifact}
        return {
            "name": self.name,
            "digest": self.digest,
            "path": self.path,
            "schema": self.schema,
            "reads": list(self.reads) if self.reads else None,
            **{key: value for key, value in origin.items() if value},
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> ReleaseRef:
        """The reference a plan or journal holds."""
        reads = data.get("reads")
        return cls(
            data["name"],
            data.get("digest", ""),
            data.get("path", ""),
            data.get("schema"),
            (reads[0], reads[1]) if reads else None,
            data.get("commit", ""),
            data.get("artifact", ""),
        )


class Release(Protocol):
    """How one service's versions are brought to hosts."""

    def resolve(self, name: str = "") -> ReleaseRef:
        """The version the configuration means now, or exactly the version called ``name``: from the
        source, or from what the controller kept of it; raises ReleaseGone when neither has it.
        Contacts no host that serves; may fetch and build, so it is asked in a thread of its own."""
        ...

    async def current(self, transport: Transport) -> ReleaseRef | None:
        """What the host has live, None when nothing."""
        ...

    async def stage(self, transport: Transport, ref: ReleaseRef) -> int:
        """Bring it next to the live one and verify its digest there; returns bytes sent. Nothing
        running changes. A staged release that is complete already is left as it is."""
        ...

    async def unstage(self, transport: Transport, ref: ReleaseRef) -> None:
        """Remove a staged release that is not live."""
        ...

    def activation(self, ref: ReleaseRef) -> tuple[Command, ...]:
        """Commands that make it live by one rename(2); part of the critical switch."""
        ...

    def deactivation(self) -> tuple[Command, ...]:
        """Commands after which none of its versions is live, for the way back to where there was
        none; part of the critical switch. The versions stay where they were brought."""
        ...

    async def prune(self, transport: Transport, keep: tuple[str, ...]) -> tuple[str, ...]:
        """Remove all but the newest ``keep`` configured and those named; returns the removed."""
        ...
