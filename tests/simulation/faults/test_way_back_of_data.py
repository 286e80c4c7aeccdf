"""The way back of the data: judged by the same words that carry it out, and told beforehand."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.schema import Schema
from tests.simulation.faults.shop import HOSTS, Shop

DOWN = ", down: 'migrate down {version}'"
BUMP = ", current: migrate current, bump: 'schema bump {version}'"
GIVEN_UP = ("--yes", "--no-way-back", "--reason", "tested twice")


def declare(shop: Shop, version: int) -> None:
    """What the next release works with."""
    (shop.folder / "release" / "VERSION").write_text(f"{version}\n")


def declared(shop: Shop) -> Schema:
    """Schema 1 is live, and so is a release that declares it."""
    schema = Schema(shop)
    shop.edit("to: /srv/api}", "to: /srv/api, schema: {file: VERSION}}")
    declare(shop, 1)
    shop.release("1b")
    shop.gapless("deploy", "--yes", "--skip-migrations", code=0)
    declare(shop, 2)
    shop.release("2")
    return schema


def given_up(shop: Shop) -> tuple[Schema, str]:
    """Schema 2 is live, and no way back of it was given; the release before reads up to 1."""
    schema = declared(shop)
    old = shop.live()[0]
    shop.edit(DOWN, "")
    shop.gapless("deploy", *GIVEN_UP, code=0)
    assert schema.ran == ["web1 up"]
    shop.world.history.clear()
    return schema, old


def refused(shop: Shop, *words: str) -> str:
    """What a rollback is refused with; nothing was changed."""
    live = shop.live()
    ended = shop.gapless("rollback", *(words or ("api",)), "--yes", code=3)
    assert "GL-205" in ended.text
    assert shop.changed() == []
    assert shop.live() == live
    return ended.text


def test_a_down_that_is_given_afterwards_takes_the_data_back(shop: Shop) -> None:
    schema, old = given_up(shop)
    told = refused(shop)
    assert "neither migrate.down nor schema.bump is given" in told
    assert "give one of them" in told
    shop.edit("current: migrate current,", f"current: migrate current{DOWN},")
    plan = shop.gapless("plan", "rollback", "api", code=0).text
    down = "the schema goes back from 2 to 1: migrate down 1, as gapless.yaml gives it now"
    assert f"api: last of all {down}" in plan
    ended = shop.gapless("rollback", "api", "--yes", code=0)
    assert "stays migrated" not in ended.text
    assert "schema api taken back from 2 to 1" in ended.text
    assert schema.ran[1:] == ["web1 down"]
    assert schema.version == 1
    shop.all_serve(old)


def test_a_bump_that_is_given_afterwards_lifts_the_old_release(shop: Shop) -> None:
    schema, old = given_up(shop)
    bumped: dict[str, int] = {}

    async def bump(host: FakeHost, command: Command) -> Answer:
        bumped[host.name] = int(command.argv[2])
        return 0, "", ""

    for host in HOSTS:
        shop.host(host).programs["schema"] = bump
    refused(shop)
    shop.edit("schema: {file: VERSION}", "schema: {file: VERSION" + BUMP + "}")
    plan = shop.gapless("plan", "rollback", "api", code=0).text
    assert f"where the schema rose to 2 it stays, and {old} is bumped to 3" in plan
    shop.gapless("rollback", "api", "--yes", code=0)
    assert bumped == dict.fromkeys(HOSTS, 3)
    assert schema.version == 2
    shop.all_serve(old)


def test_a_way_down_that_the_file_lost_since_holds_as_recorded(shop: Shop) -> None:
    schema = declared(shop)
    shop.gapless("deploy", "--yes", code=0)
    shop.edit(DOWN, "")
    plan = shop.gapless("plan", "rollback", "api", code=0).text
    assert "the schema goes back from 2 to 1: migrate down 1" in plan
    assert "as gapless.yaml gives it now" not in plan
    shop.gapless("rollback", "api", "--yes", code=0)
    assert schema.version == 1


def test_the_data_cannot_go_back_with_a_part_of_the_hosts(shop: Shop) -> None:
    """The old release would be left on a schema that it cannot live with."""
    schema = declared(shop)
    shop.gapless("deploy", "--yes", code=0)
    shop.world.history.clear()
    told = refused(shop, "api", "--hosts", "web1")
    assert "migrate.down runs only when web2, web3 goes back, too" in told
    shop.gapless("rollback", "api", "--yes", code=0)
    assert schema.version == 1


def test_the_data_cannot_go_back_past_a_later_rollout(shop: Shop) -> None:
    """The first migrated nothing; what the second did to the data is not for it to undo."""
    schema = Schema(shop)
    shop.edit("to: /srv/api}", "to: /srv/api, schema: {file: VERSION}}")
    declare(shop, 1)
    for content in ("1b", "1c"):
        shop.release(content)
        shop.gapless("deploy", "--yes", "--skip-migrations", code=0)
    first = shop.last().id
    declare(shop, 2)
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    second = shop.last().id
    shop.world.history.clear()
    told = refused(shop, first)
    assert f"api was brought to schema 2 by {second} since" in told
    assert f"gapless rollback {second}, then this one" in told
    shop.gapless("rollback", second, "--yes", code=0)
    shop.gapless("rollback", first, "--yes", code=0)
    assert schema.version == 1


def test_a_down_that_does_not_know_where_to_is_refused(shop: Shop) -> None:
    declared(shop)
    shop.edit(" current: migrate current,", "")
    ended = shop.gapless("deploy", "--yes", code=3)
    assert "migrate.down needs migrate.current" in ended.text
    shop.gapless("deploy", *GIVEN_UP, code=0)
    shop.world.history.clear()
    assert "without migrate.current the version before is not known" in refused(shop)


def test_an_abort_of_a_given_up_way_back_is_not_called_restored(shop: Shop) -> None:
    schema = declared(shop)
    shop.edit(DOWN, "")
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", *GIVEN_UP, code=5)
    assert "the schema stays migrated: migrate.down is not given" in ended.text
    assert shop.last().outcome == "mixed"
    assert schema.version == 2


# -- what never rose --------------------------------------------------------------------------


def test_a_migration_that_raised_nothing_is_not_taken_back(shop: Shop) -> None:
    """From 2 to 2, as the releases declare."""
    schema = declared(shop)
    shop.gapless("deploy", "--yes", code=0)
    schema.ran.clear()
    (shop.folder / "release" / "more").write_text("of schema 2")
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert schema.ran == ["web1 up"]
    assert "schema api" not in ended.text


def test_nothing_that_is_not_declared_is_taken_back_if_it_never_rose(shop: Shop) -> None:
    schema = Schema(shop)
    schema.version = 2
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert schema.ran == ["web1 up"]
    assert "schema api the schema is at 2, as before: it never rose" in ended.text


class OneStep:
    """A way down that knows no version: it takes off one."""

    def __init__(self, shop: Shop, rises: Callable[[int], int]) -> None:
        self.version = 5
        self.downs = 0
        self.rises = rises
        for host in HOSTS:
            shop.host(host).programs["migrate"] = self._called
        keys = "run: migrate up, current: migrate current, down: migrate down"
        shop.edit("    balancer:", "    migrate: {" + keys + "}\n    balancer:")

    async def _called(self, host: FakeHost, command: Command) -> Answer:
        if command.argv[1] == "up":
            self.version = self.rises(self.version)
        elif command.argv[1] == "down":
            self.version, self.downs = self.version - 1, self.downs + 1
        return 0, f"{self.version}\n", ""


@pytest.mark.parametrize(("steps", "downs", "code"), [(0, 0, 4), (1, 1, 4), (2, 1, 5)])
def test_a_way_down_of_one_step(shop: Shop, steps: int, downs: int, code: int) -> None:
    """It runs where the schema rose, once, and what it came to is asked."""
    data = OneStep(shop, lambda version: version + steps)
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=code)
    assert data.downs == downs
    if code == 5:
        assert "migrate.down ended well, but the schema is at 6, and was at 5 before" in ended.text
