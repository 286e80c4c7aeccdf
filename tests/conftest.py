"""Fixtures every test may use."""

import gc

import pytest

from gapless.render import spelling

pytest_plugins = ["tests.lab.fixtures"]

gc.disable()  # until all tests are collected: nothing of them is garbage


def pytest_collection_finish() -> None:
    """What is there now stays: ten thousand tests are not looked through again and again."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    gc.enable()


@pytest.fixture(autouse=True)
def _nothing_was_given() -> None:
    """What an earlier test gave a command in this process is not repeated in what is told now."""
    spelling.remember("", None, "")
