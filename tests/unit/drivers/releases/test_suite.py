"""The contract suite: each source, with a link and in place."""

from __future__ import annotations

from gapless.testing.release_suite import ReleaseSuite
from tests.unit.drivers.releases.rig import ArchiveRig, GitRig, InPlaceRig, LocalRig


class TestLinked(LocalRig, ReleaseSuite):
    pass


class TestInPlace(InPlaceRig, ReleaseSuite):
    pass


class TestGit(GitRig, ReleaseSuite):
    pass


class TestGitFetchedByTheHost(GitRig, ReleaseSuite):
    fetch = "host"


class TestArchive(ArchiveRig, ReleaseSuite):
    pass
