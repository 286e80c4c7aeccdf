"""A migration that prints what it was given: no value of a secret is told or kept anywhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.shop import HOSTS, Shop

URL = "postgres://shop:hunter2/strong@db.shop.example/shop"
KEY = "-----BEGIN KEY-----\nMIIEvgIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----"
WORDS = ("hunter2", "MIIEvgIBADANBgkq", "hkiG9w0BAQEFAASC")
_MIGRATE = """\
    migrate:
      run: migrate up
      current: migrate current
      down: migrate down {version}
      secrets: {DATABASE_URL: "env:SHOPDB", KEY: "env:SHOPKEY"}
    balancer:"""


class Chatty:
    """``migrate``: says on both streams with which secrets it was called."""

    def __init__(self, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fails = ""
        self.version = 1
        self.called: list[str] = []
        self.patch = monkeypatch
        self.give()
        for host in HOSTS:
            shop.host(host).programs["migrate"] = self._called
        shop.edit("    balancer:", _MIGRATE)
        shop.config((shop.folder / "gapless.yaml").read_text() + "events: [jsonl: events.jsonl]\n")

    def give(self) -> None:
        self.patch.setenv("SHOPDB", URL)
        self.patch.setenv("SHOPKEY", KEY)

    async def _called(self, host: FakeHost, command: Command) -> Answer:
        what = command.argv[1]
        self.called.append(what)
        assert (command.env["DATABASE_URL"], command.env["KEY"]) == (URL, KEY)
        said = f"{what}: connecting to {URL}\nwith {KEY}\nhunter2/strong {KEY.splitlines()[1]}\n"
        status = int(what == self.fails)
        if what == "current" and not status:
            return 0, f"{said}{self.version}\n", said
        if not status:
            self.version = 2 if what == "up" else int(command.argv[2])
        return status, said, said if status else ""


@pytest.fixture
def chatty(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Chatty:
    return Chatty(shop, monkeypatch)


def told(shop: Shop, *ended: str) -> Iterator[tuple[str, str]]:
    """Everything that is said or kept of the last rollout."""
    yield from (("screen", text) for text in ended)
    last = shop.last().id
    words = [("history", last), ("history", last, "--json"), ("events", last), ("events", "--json")]
    for command in words:
        shown = shop.gapless(*command, code=0)
        yield " ".join(command), shown.out + shown.err
    for file in (f for f in Path(shop.folder).rglob("*") if f.is_file()):
        yield str(file), file.read_bytes().decode("utf-8", "replace")


def silent(shop: Shop, *ended: str) -> None:
    for place, text in told(shop, *ended):
        assert not [word for word in WORDS if word in text], f"{place}:\n{text}"


@pytest.mark.parametrize("options", [(), ("--json",), ("--progress=plain",)])
def test_a_migration_that_fails_tells_no_secret(
    shop: Shop, chatty: Chatty, options: tuple[str, ...]
) -> None:
    chatty.fails = "up"
    shop.release("2")
    ended = shop.gapless("deploy", "--yes", *options, code=4)
    assert chatty.called == ["current", "current", "up"]
    assert "up: connecting to ***" in ended.text
    silent(shop, ended.out, ended.err)
    kinds = ("step.failed", "migration.failed", "instance.failed")
    assert all("***" in json.dumps(dict(e.data)) for kind in kinds for e in shop.events(kind))


def test_a_migration_that_succeeds_and_its_way_back_keep_no_secret(
    shop: Shop, chatty: Chatty
) -> None:
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert chatty.called[-4:] == ["up", "current", "down", "current"]
    silent(shop, ended.out, ended.err)
    (done,) = shop.events("migration.succeeded")[:1]
    assert "***" in json.dumps(dict(done.data))


@pytest.mark.parametrize(("fails", "code"), [("down", 5), ("current", 3)])
def test_a_way_back_or_a_version_that_fails_tells_no_secret(
    shop: Shop, chatty: Chatty, fails: str, code: int
) -> None:
    chatty.fails = fails
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=code)
    assert f"{fails}: connecting to ***" in ended.text
    silent(shop, ended.out, ended.err)
