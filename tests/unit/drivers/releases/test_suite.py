"""The contract suite, with a link and in place."""

from __future__ import annotations

from tests.unit.drivers.releases.rig import InPlaceRig, LocalRig


class TestLinked(LocalRig):
    pass


class TestInPlace(InPlaceRig):
    pass
