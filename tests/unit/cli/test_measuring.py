"""``prove`` on the command line: what cannot be asked is refused before anything is sent."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.unit.cli.conftest import Api, Ended

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    "words",
    [
        ("--url", "notaurl"), ("--url", "ftp://a/"), ("--url", "http://a:99999/"),
        ("--url", "http://localhost:1/", "--for", "-1"),
        ("--url", "http://localhost:1/", "--rate", "0"),
        ("--url", "http://localhost:1/", "--for", "0.01", "--", "/no/such/program"),
    ],
)  # fmt: skip
def test_what_cannot_be_asked(api: Api, gl: Run, words: tuple[str, ...]) -> None:
    ended = gl("prove", *words)
    assert (ended.code, "bug" in ended.err) == (2, False)


def test_failures_are_told_with_a_unit(api: Api, gl: Run) -> None:
    ended = gl("prove", "--url", "http://127.0.0.1:1/", "--for", "0.2", "--rate", "20")
    assert ended.code == 5
    assert re.search(r"failed after \d+ ms: ", ended.out)
