"""The contract suite, with a link and in place."""

from __future__ import annotations

from gapless.testing.release_suite import ReleaseSuite
from tests.unit.drivers.releases.rig import InPlaceRig, LocalRig


class TestLinked(LocalRig, ReleaseSuite):
    pass


class TestInPlace(InPlaceRig, ReleaseSuite):
    pass
