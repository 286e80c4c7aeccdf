from __future__ import annotations

import pytest

from gapless.hostside.matching import Expectation, at_pointer, contains, equal, status_matches


@pytest.mark.parametrize(
    ("wanted", "status", "matches"),
    [
        (200, 200, True),
        (200, 201, False),
        ("204", 204, True),
        ("2xx", 299, True),
        ("2xx", 300, False),
        ("200-204", 204, True),
        ("200-204", 205, False),
        ([200, "3xx"], 302, True),
        (("401-403", 500), 500, True),
        ([], 200, False),
    ],
)
def test_statuses(wanted: object, status: int, matches: bool) -> None:
    assert status_matches(wanted, status) is matches


@pytest.mark.parametrize(
    ("answer", "wanted", "is_in"),
    [
        ({"status": "up", "more": 1}, {"status": "up"}, True),
        ({"status": "down"}, {"status": "up"}, False),
        ({"a": {"b": {"c": 1, "d": 2}}}, {"a": {"b": {"c": 1}}}, True),
        ({"db": {"status": "up"}, "status": "down"}, {"status": "up"}, False),
        ({"list": [{"n": "a"}, {"n": "b", "up": True}]}, {"list": [{"n": "b"}]}, True),
        ({"list": [{"n": "a"}]}, {"list": [{"n": "b"}]}, False),
        ({"up": True}, {"up": 1}, False),
        ({"up": 1}, {"up": True}, False),
        ({"n": 1.0}, {"n": 1}, True),
        ({}, {"missing": None}, False),
        ({"there": None}, {"there": None}, True),
        ([1], {"a": 1}, False),
        ({"a": 1}, {}, True),
    ],
)
def test_containment(answer: object, wanted: object, is_in: bool) -> None:
    assert contains(answer, wanted) is is_in


def test_pointers() -> None:
    answer = {"a/b": {"m~n": [10, {"x": None}]}}
    assert at_pointer(answer, "/a~1b/m~0n/0") == 10
    assert at_pointer(answer, "/a~1b/m~0n/1/x") is None
    assert at_pointer(answer, "") == answer
    for nowhere in ("/x", "/a~1b/m~0n/7", "/a~1b/m~0n/x", "/a~1b/m~0n/0/y"):
        assert not equal(at_pointer(answer, nowhere), None)


def test_what_is_missed_is_named() -> None:
    expect = Expectation(
        {
            "status": ["2xx", 304],
            "headers": {"X-Version": "^2"},
            "body": "healthy",
            "json": {"status": "healthy"},
            "path": {"/db": "up"},
        }
    )
    body = '{"status": "healthy", "db": "up"}'
    assert expect.misses(200, {"X-Version": "2.1"}, body) == []
    assert expect.misses(500, {}, '{"db": "down"}') == [
        "status 2xx or 304",
        "header X-Version ~ ^2",
        "body ~ healthy",
        'json {"status": "healthy"}',
        '/db = "up"',
    ]
    assert expect.misses(200, {"X-Version": "2"}, "healthy") == ["a JSON answer"]
