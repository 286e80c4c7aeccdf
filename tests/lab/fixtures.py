"""The lab for pytest: load it as a plugin (`pytest_plugins = ["tests.lab.fixtures"]`).

A test that asks for `lab`, `hosts` or `host` is a lab test and gets the marker `lab`. Where the
lab cannot run it is skipped with the reason, or fails with it under GAPLESS_LAB=required.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .availability import lab_is_required, lab_unavailable_reason
from .debian import install_missing_packages
from .host import LabHost
from .lab import Lab
from .rootfs import ensure_rootfs
from .shell import LabError

HOSTS = 5

_unavailable = pytest.StashKey[str | None]()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark lab tests, so that `-m 'not lab'` leaves them out."""
    for item in items:
        if _is_lab_test(item):
            item.add_marker("lab")


def pytest_collection_finish(session: pytest.Session) -> None:
    """Install and build what the lab needs, outside of any test and its time limit."""
    if session.config.option.collectonly or not any(map(_is_lab_test, session.items)):
        return
    reason = lab_unavailable_reason()
    if reason is None:
        try:
            install_missing_packages()
            ensure_rootfs()
        except LabError as error:
            reason = str(error)
    session.config.stash[_unavailable] = reason


@pytest.fixture(scope="session")
def lab(pytestconfig: pytest.Config) -> Iterator[Lab]:
    """The lab of this test session: 5 hosts, booted when the first test asks for them."""
    reason = pytestconfig.stash.get(_unavailable, None)
    if reason is not None:
        if lab_is_required():
            pytest.fail(f"GAPLESS_LAB=required, but {reason}", pytrace=False)
        pytest.skip(f"no lab: {reason}")
    with Lab(HOSTS) as running:
        yield running


@pytest.fixture
def hosts(lab: Lab, _used_hosts: set[int]) -> list[LabHost]:
    """All hosts as if newly installed, whatever earlier tests did to them (about 1.2 s)."""
    return _clean(lab, lab.hosts, _used_hosts)


@pytest.fixture
def pair(lab: Lab, _used_hosts: set[int]) -> list[LabHost]:
    """The first two, likewise."""
    return _clean(lab, lab.hosts[:2], _used_hosts)


@pytest.fixture
def host(lab: Lab, _used_hosts: set[int]) -> LabHost:
    """One such host, for tests that need no more (about 0.5 s)."""
    return _clean(lab, [lab[1]], _used_hosts)[0]


@pytest.fixture(scope="session")
def _used_hosts(lab: Lab) -> set[int]:
    """The numbers of the hosts some test has had."""
    return set()


def _clean(lab: Lab, wanted: list[LabHost], used: set[int]) -> list[LabHost]:
    lab.renew(host for host in wanted if host.number in used)
    used.update(host.number for host in wanted)
    return wanted


def _is_lab_test(item: pytest.Item) -> bool:
    return "lab" in getattr(item, "fixturenames", ())
