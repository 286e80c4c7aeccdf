"""A fresh site, or a fresh host with gapless on it, for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import Lab, LabHost
from tests.rollouts.site import Site, make_site
from tests.rollouts.units.package import install_gapless
from tests.rollouts.units.unit import Unit


@pytest.fixture
def site(tmp_path: Path, lab: Lab, hosts: list[LabHost]) -> Iterator[Site]:
    """Five hosts behind HAProxy."""
    made = make_site(tmp_path, lab, hosts)
    yield made
    made.proxy.stop()


@pytest.fixture
def small_site(tmp_path: Path, lab: Lab, pair: list[LabHost]) -> Iterator[Site]:
    """Two hosts behind HAProxy, for faults."""
    made = make_site(tmp_path, lab, pair)
    yield made
    made.proxy.stop()


@pytest.fixture
def web(host: LabHost) -> Unit:
    """A host with gapless on it."""
    install_gapless(host)
    return Unit(host)
