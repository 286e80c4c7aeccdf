"""Fixtures every test may use."""

import gc

import pytest

from gapless.render import spelling

pytest_plugins = ["tests.lab.fixtures"]

gc.disable()  # until all tests are collected: nothing of them is garbage


def pytest_collection_finish(session: pytest.Session) -> None:
    """What is there now stays: ten thousand tests are not looked through again and again."""
    _refuse_scattered_groups(session)
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


def _refuse_scattered_groups(session: pytest.Session) -> None:
    """Tests of a group share a cluster, so one worker has all of them. Where pytest and xdist do
    not fit the group is silently none, and every worker starts every cluster."""
    if not getattr(session.config.option, "loadgroup", False):
        return
    for item in session.items:
        if item.get_closest_marker("xdist_group") and "@" not in item.nodeid:
            raise pytest.UsageError(f"{item.nodeid} is in no group: see pytest in pyproject.toml")


@pytest.fixture(autouse=True)
def _nothing_was_given() -> None:
    """What an earlier test gave a command in this process is not repeated in what is told now."""
    spelling.remember("", None, "")
