"""Builds of releases by themselves, for CI: what a deploy would do first, and nothing after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gapless.drivers.releases.aside import cancellable
from gapless.engine.project_assembly import ProjectAssembly
from gapless.errors import UsageError


@dataclass(frozen=True, slots=True)
class BuildRow:
    """What the build of one service left. ``size`` in bytes, ``seconds`` that the build took;
    ``built`` says that it was built now, not used again."""

    service: str
    release: str
    commit: str
    key: str
    digest: str
    keep: tuple[str, ...]
    size: int
    seconds: float
    built: bool

    def to_json(self) -> dict[str, Any]:
        """Plain data."""
        return {
            "service": self.service,
            "release": self.release,
            "commit": self.commit,
            "key": self.key,
            "digest": self.digest,
            "keep": list(self.keep),
            "size": self.size,
            "seconds": round(self.seconds, 3),
            "built": self.built,
        }


async def build_all(assembly: ProjectAssembly, names: Sequence[str]) -> list[BuildRow]:
    """Build, one after another, what these services need (all of them when none is named). Raises
    UsageError when there is nothing to build, BuildFailed for the first that fails."""
    services = assembly.config.services
    builds = [name for name in names or services if _has_build(assembly, name)]
    without = [name for name in names if name not in builds]
    if without or not builds:
        which = without[0] if without else "no service"
        raise UsageError(
            f"{which} has {'no ' if without else ''}release.build",
            next="gapless explain release.build",
        )
    return [await _build(assembly, name) for name in builds]


def _has_build(assembly: ProjectAssembly, name: str) -> bool:
    release = assembly.service(name).release
    return release is not None and release.build is not None


async def _build(assembly: ProjectAssembly, name: str) -> BuildRow:
    release = assembly.release(name)
    assert release is not None
    ref = await cancellable(release.resolve)
    left = ref.built
    assert left is not None
    return BuildRow(
        name, ref.name, ref.commit, left.key, left.digest, left.names, left.size, left.seconds,
        left.built,
    )  # fmt: skip
