"""What every store must do, with real servers."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.handover.claims.asking import ask
from gapless.handover.claims.store import LOST, WON, Answer, NoAnswer, Store
from gapless.handover.claims.urls import store_of
from gapless.handover.endings import BadVariable
from tests.unit.handover.site import wait_until

STORES = ("sqlite", "dir", "redis", "postgresql")
_unique = itertools.count()


class Claims:
    """Of the two owners, the test says which are dead where the store does not know itself."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.namespace = f"test-{os.getpid()}-{next(_unique)}"
        self.dead: set[str] = set()
        self.opened: list[Store] = []

    def store(self, owner: str, namespace: str = "") -> Store:
        found = store_of(
            self.url, None, namespace or self.namespace, owner, lambda who: who not in self.dead
        )
        assert found is not None
        self.opened.append(found)
        return found


@pytest.fixture(params=STORES)
def claims(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Claims]:
    url = {
        "sqlite": lambda: f"sqlite://{tmp_path}/claims.db",
        "dir": lambda: f"dir://{tmp_path}",
        "redis": lambda: request.getfixturevalue("redis").url,
        "postgresql": lambda: request.getfixturevalue("postgresql").url,
    }[request.param]()
    found = Claims(url)
    yield found
    for store in found.opened:
        store.close()


def _claim(store: Store, event: str, *, done: bool = False) -> Answer:
    return ask(lambda: store.claim(event, done=done), (), 5.0)


def test_one_wins(claims: Claims) -> None:
    old, new = claims.store("old:1:1:a"), claims.store("new:2:2:b")
    assert _claim(old, "1") == WON
    assert _claim(new, "1") == Answer(won=False, pending_of="old:1:1:a")
    old.finish("1")
    assert _claim(new, "1") == LOST
    assert _claim(new, "2", done=True) == WON
    assert _claim(old, "2") == LOST
    assert _claim(old, "2", done=True) == LOST


@pytest.mark.parametrize(
    "event", ["a/b", "../../etc", "ä ö", "%", "x" * 3000, ".", "..", "a.done", "a.1", "~", "1 0"]
)
def test_ids_are_any_text(claims: Claims, event: str) -> None:
    old, new = claims.store("old:1:1:a"), claims.store("new:2:2:b")
    assert _claim(old, "a") == WON
    assert _claim(old, event, done=True) == WON
    assert _claim(new, event) == LOST
    assert _claim(new, "a") == Answer(won=False, pending_of="old:1:1:a")


def test_services_do_not_meet(claims: Claims) -> None:
    one, other = claims.store("a:1:1:a"), claims.store("a:1:1:a", f"{claims.namespace}/other")
    assert _claim(one, "1") == WON
    assert _claim(other, "1") == WON


def test_the_pending_claim_of_the_dead_is_taken_once(claims: Claims) -> None:
    dead, one, other = (claims.store(f"{name}:1:1:a") for name in ("dead", "one", "other"))
    for event in ("1", "2"):
        assert _claim(dead, event) == WON
    dead.finish("2")
    assert one.is_alive("dead:1:1:a")
    claims.dead.add("dead:1:1:a")
    dead.close()
    # a server may take a moment to see that a session is over
    wait_until(lambda: not ask(one.is_alive, ("dead:1:1:a",), 5.0))
    assert ask(one.take_over, ("1", "dead:1:1:a"), 5.0) == WON
    # whoever looked earlier comes too late
    assert ask(other.take_over, ("1", "dead:1:1:a"), 5.0) == Answer(
        won=False, pending_of="one:1:1:a"
    )
    assert _claim(other, "1") == Answer(won=False, pending_of="one:1:1:a")
    # what was done is not taken
    assert _claim(one, "2") == LOST
    # and taken again from the next one
    claims.dead.add("one:1:1:a")
    one.close()
    wait_until(lambda: not ask(other.is_alive, ("one:1:1:a",), 5.0))
    assert ask(other.take_over, ("1", "one:1:1:a"), 5.0) == WON
    other.finish("1")
    assert _claim(claims.store("last:1:1:a"), "1") == LOST


def test_an_owner_that_is_there_is_alive_for_long(claims: Claims) -> None:
    one, other = claims.store("one:1:1:a"), claims.store("other:1:1:a")
    one.open()
    other.open()
    if "redis" in claims.url:
        # longer than what it sets lives
        time.sleep(3.2)
    assert other.is_alive("one:1:1:a")
    assert one.is_alive("one:1:1:a")


def test_claims_are_forgotten_after_the_horizon(claims: Claims) -> None:
    one, other = claims.store("one:1:1:a"), claims.store("other:1:1:a")
    elsewhere = claims.store("one:1:1:a", f"{claims.namespace}-elsewhere")
    assert _claim(one, "1", done=True) == WON
    assert _claim(elsewhere, "1", done=True) == WON
    one.sweep()
    assert _claim(other, "1") == LOST
    for store in (one, other):
        store.horizon_ms = 50
    _claim(one, "2", done=True)
    ends = time.monotonic() + 5
    while _claim(other, "2", done=True) == LOST:
        assert time.monotonic() < ends
        # of a directory one folder at a time
        for _ in range(3):
            one.sweep()
    assert _claim(elsewhere, "1") == LOST


def test_a_race_of_threads(claims: Claims) -> None:
    won: list[int] = []

    def race(store: Store) -> None:
        won.extend(event for event in range(300) if _claim(store, str(event), done=True).won)

    racers = [threading.Thread(target=race, args=(claims.store(f"r{n}:1:1:a"),)) for n in range(4)]
    for racer in racers:
        racer.start()
    for racer in racers:
        racer.join(60)
    assert sorted(won) == list(range(300))


@pytest.mark.parametrize("store", ["sqlite", "dir"])
def test_a_place_that_is_not_there_is_no_answer(tmp_path: Path, store: str) -> None:
    claims = Claims(f"{store}://{tmp_path}/nowhere/claims")
    with pytest.raises(NoAnswer):
        _claim(claims.store("a:1:1:a"), "1")
    (tmp_path / "nowhere").mkdir()
    if store == "sqlite":
        assert _claim(claims.opened[0], "1") == WON


@pytest.mark.parametrize(
    "url",
    [
        "memory:",
        "sqlite:",
        "sqlite:claims.db",
        "sqlite://host/claims.db",
        "dir:",
        "dir:///",
        "redis://host:port",
        "postgresql://host:port:port/db",
    ],
)
def test_urls_that_name_nothing(url: str) -> None:
    with pytest.raises(BadVariable) as ended:
        Claims(url).store("a:1:1:a")
    assert ended.value.name == "HANDOVER_LOCK"


def test_a_password_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    for url in ("redis://:hunter2@host:port", "postgresql://u:hunter2@h:p:q/db", "x://hunter2"):
        with pytest.raises(BadVariable):
            Claims(url).store("a:1:1:a")
    assert "hunter2" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["redis", "postgresql"])
def test_a_server_that_is_gone_is_no_answer_and_asked_again_later(
    request: pytest.FixtureRequest, name: str
) -> None:
    server: Any = request.getfixturevalue(name)
    claims = Claims(server.url)
    one, other = claims.store("one:1:1:a"), claims.store("other:1:1:a")
    assert _claim(one, "1", done=True) == WON
    server.kill()
    try:
        begun = time.monotonic()
        for store in (one, other):
            for ask_it in _questions(store):
                with pytest.raises(NoAnswer):
                    ask(ask_it, (), 0.2)
        assert time.monotonic() - begun < 10
    finally:
        server.start()
    assert _claim(one, "2") == WON
    assert _claim(other, "2") == Answer(won=False, pending_of="one:1:1:a")
    for store in claims.opened:
        store.close()


def _questions(store: Store) -> list[Callable[[], object]]:
    return [
        lambda: store.claim("9", done=True),
        lambda: store.take_over("9", "other:1:1:x"),
        lambda: store.finish("9"),
        lambda: store.is_alive("other:1:1:x"),
    ]


def test_a_redis_that_hangs_is_no_answer_and_nothing_is_sent_twice(redis: Any) -> None:
    claims = Claims(redis.url)
    one, other = claims.store("one:1:1:a"), claims.store("other:1:1:a")
    assert _claim(one, "0") == WON
    assert _claim(other, "00") == WON
    os.kill(redis.pid, signal.SIGSTOP)
    going_on = threading.Timer(1.2, os.kill, (redis.pid, signal.SIGCONT))
    going_on.start()
    try:
        # sent again it would be answered: lost, to the one that has won it
        with pytest.raises(NoAnswer):
            one.claim("1", done=True)
    finally:
        going_on.join()
    # the server works off what was sent once: the claim may be won, and is told lost to nobody
    time.sleep(0.1)
    assert _claim(other, "1") in (WON, LOST)
    for store in claims.opened:
        store.close()


def test_an_owner_has_one_session(postgresql: Any) -> None:
    """Another one with its name would be thought alive when it is dead."""
    claims = Claims(postgresql.url)
    first, second = claims.store("one:1:1:a"), claims.store("one:1:1:a")
    assert _claim(first, "1") == WON
    with pytest.raises(NoAnswer, match="another session"):
        ask(lambda: second.claim("2", done=True), (), 0.2)
    first.close()
    assert _claim(second, "2") == WON
    second.close()
