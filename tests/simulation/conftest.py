"""Rollouts under a virtual clock never wait, so time says nothing of them: beside other tests they
get what those leave of the processors, which may be next to nothing for minutes."""

import pytest

LIMIT = 3000.0
"""Seconds; what waits in vain under virtual time is told at once and needs no limit."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.parent.name == "faults" and not item.get_closest_marker("real"):
            item.add_marker("sim")
        if item.get_closest_marker("sim"):
            item.add_marker(pytest.mark.timeout(LIMIT))
