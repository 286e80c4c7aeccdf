"""Rollouts under a virtual clock never wait, so time says nothing of them: beside other tests they
get what those leave of the processors, which may be next to nothing for minutes. A process has the
machine's clock, so a test that starts one is not among them."""

import subprocess
from collections.abc import Generator
from typing import NoReturn

import pytest

LIMIT = 3000.0
"""Seconds; what waits in vain under virtual time is told at once and needs no limit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "faults" and not item.get_closest_marker("real"):
            item.add_marker("sim")
        if item.get_closest_marker("sim"):
            item.add_marker(pytest.mark.timeout(LIMIT))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """With its fixtures."""
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("sim"):
            patch.setattr(subprocess.Popen, "__init__", _started)
        return (yield)


def _started(popen: object, args: object, *rest: object, **options: object) -> NoReturn:
    pytest.fail(f"{args} was started under a virtual clock: mark the test 'real'")
