"""The migration goes wrong, or its way back does: it runs once, and is never forgotten."""

from __future__ import annotations

import asyncio

import pytest

from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_unit import NEVER_READY
from tests.simulation.faults.schema import Schema
from tests.simulation.faults.shop import HOSTS, Shop

FOREVER = 1e6


def untouched(shop: Shop, old: str) -> None:
    assert shop.last().outcome == "restored"
    shop.rest()
    assert shop.changed() == []
    assert shop.world.deeds("drain") == []
    assert shop.leftovers() == []
    shop.all_serve(old)
    shop.world.check()


def test_migration_that_fails(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.release("2")
    ran: list[str] = []

    async def migrate(host: FakeHost) -> Answer:
        ran.append(host.name)
        return 1, "applying 0042_invoices\n", "ERROR: relation invoices exists\n"

    shop.migration(migrate)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert ran == ["web1"], "once, and never again"
    assert "during migrate: the migration ended with status 1" in ended.text
    assert "ERROR: relation invoices exists" in ended.text
    assert "Failed before anything of api that runs was changed" in ended.text
    untouched(shop, old)


def test_migration_that_hangs(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.release("2")
    ran: list[str] = []

    async def migrate(host: FakeHost) -> Answer:
        ran.append(host.name)
        try:
            await asyncio.sleep(86_400)
        except asyncio.CancelledError:
            ran.append("stopped")
            raise
        return 0, "", ""

    shop.migration(migrate)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert ran == ["web1", "stopped"]
    assert "the migration did not end within 60 s and was stopped" in ended.text
    untouched(shop, old)


def killed_in_migration(shop: Shop, schema: Schema) -> None:
    """Deploy; the controller dies two seconds after the migration began."""
    shop.release("2")
    schema.begun = lambda: shop.loop.call_later(2.0, shop.kill)
    shop.killed("deploy", "--yes")
    schema.begun = lambda: None


def slow_first_host(shop: Shop) -> Schema:
    """Two at once, and web2 gets to the migration before web1."""
    schema = Schema(shop)
    shop.edit("{canary: 1, batch: 1}", "{canary: 0, batch: 2, max_unavailable: 2}")
    shop.host("web1").latency = 0.05
    killed_in_migration(shop, schema)
    shop.host("web1").latency = 0.001
    assert schema.ran == ["web2 up"]
    return schema


def test_migration_is_asked_of_the_host_that_began_it(shop: Shop) -> None:
    """Another host comes to it first when the rollout goes on: it is not run a second time."""
    schema = slow_first_host(shop)
    shop.gapless("resume", code=0)
    assert schema.ran == ["web2 up"]
    assert schema.version == 2


def test_migration_of_a_host_that_is_gone_is_not_run_again(shop: Shop) -> None:
    schema = slow_first_host(shop)
    shop.host("web2").cut(FOREVER)
    ended = shop.gapless("resume", code=5)
    assert schema.ran == ["web2 up"]
    assert "the migration was begun on web2, which cannot be asked" in ended.text
    assert shop.changed() == []


def test_migration_whose_end_nobody_saw_is_never_called_restored(shop: Shop) -> None:
    """Nothing is taken back when the rollout only stops; the data may be new all the same."""
    schema = Schema(shop)
    shop.edit("{canary: 1, batch: 1}", "{canary: 1, batch: 1, on_failure: stop}")
    shop.release("2")
    schema.begun = lambda: shop.host("web1").cut(120.0)
    ended = shop.gapless("deploy", "--yes", code=5)
    assert schema.ran == ["web1 up"]
    assert shop.last().outcome == "mixed"
    assert "the host did not come back within" in ended.text
    assert shop.serving() == list(HOSTS)


def test_abort_takes_an_interrupted_migration_back(shop: Shop) -> None:
    (old, *_) = shop.live()
    schema = Schema(shop)
    killed_in_migration(shop, schema)
    shop.gapless("abort", code=4)
    assert schema.ran == ["web1 up", "web1 down"], "waited for, then taken back"
    assert schema.version == 1
    shop.all_serve(old)


def test_abort_with_the_migrating_host_gone_is_not_called_restored(shop: Shop) -> None:
    """It had begun nothing else: only the data may have changed, and nobody can tell."""
    schema = Schema(shop)
    killed_in_migration(shop, schema)
    shop.host("web1").cut(FOREVER)
    ended = shop.gapless("abort", code=5)
    assert "it is not known how far the migration came" in ended.text
    assert shop.last().outcome == "mixed"


@pytest.mark.parametrize("why", ["it fails", "its secret cannot be read"])
def test_rollback_whose_migrate_down_fails(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    (old, *_) = shop.live()
    schema = Schema(shop)
    shop.edit("timeout: 60s}", "timeout: 60s, secrets: {PASSWORD: 'env:SHOP_PASSWORD'}}")
    monkeypatch.setenv("SHOP_PASSWORD", "tide")
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    if why == "it fails":
        schema.down_fails = True
    else:
        monkeypatch.delenv("SHOP_PASSWORD")
    ended = shop.gapless("rollback", "--yes", code=5)
    assert shop.last().outcome == "mixed"
    assert "look at the schema of api" in ended.text
    assert schema.version == 2
    shop.all_serve(old)


def test_schema_stays_while_an_instance_runs_the_new_release(shop: Shop) -> None:
    """Taken back host by host: only the last one takes the data back."""
    schema = Schema(shop)
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    deploy = shop.last().id
    shop.gapless("rollback", deploy, "--hosts", "web1", "--yes", code=0)
    assert schema.ran == ["web1 up"]
    (skipped,) = shop.events("migration.skipped")
    assert "the new release may run on web2, web3" in skipped.data["why"]
    shop.gapless("rollback", deploy, "--hosts", "web2,web3", "--yes", code=0)
    assert schema.ran == ["web1 up", "web2 down"], "on a host that this rollout owns"
    assert schema.version == 1


def test_schema_stays_when_an_instance_could_not_go_back(shop: Shop) -> None:
    schema = Schema(shop)
    new = shop.release("2")
    shop.unit("web3").behaviours[new] = NEVER_READY
    shop.at("web3/api/undo-switch", lambda: shop.host("web2").cut(FOREVER))
    shop.gapless("deploy", "--yes", code=5)
    assert shop.unit("web2").version == new
    assert schema.ran == ["web1 up"]
    assert schema.version == 2
    assert [host for host in HOSTS if shop.unit(host).version == new] == ["web2"]


def test_the_way_back_of_a_schema_is_told(shop: Shop) -> None:
    Schema(shop)
    shop.edit("to: /srv/api", "to: /srv/api, schema: {file: VERSION}")
    (shop.folder / "release" / "VERSION").write_text("2")
    shop.bad_release(NEVER_READY)
    ended = shop.gapless("deploy", "--yes", "--progress=plain", code=4)
    assert "migration started" in ended.text
    assert "migration back from 2 to 1 started" in ended.text
    assert "migration back from 2 to 1 done" in ended.text
    assert "schema api taken back from 2 to 1" in ended.text
    assert (
        "schema api taken back from 2 to 1" in shop.gapless("history", shop.last().id, code=0).text
    )


def test_a_schema_that_stays_is_told(shop: Shop) -> None:
    Schema(shop)
    shop.edit(", down: 'migrate down {version}'", "")
    shop.bad_release(NEVER_READY)
    assert "schema api the schema stays migrated: migrate.down is not given" in " ".join(
        shop.gapless("deploy", "--yes", code=4).text.split()
    )


def test_the_schema_is_asked_of_a_host_that_answers(shop: Shop) -> None:
    """The first host is down, and one may be."""
    shop.world._hooks.clear()
    shop.edit("canary: 1, batch: 1", "canary: 1, batch: 1, max_failed: 1, max_unavailable: 2")
    schema = Schema(shop)
    old = shop.live()[0]
    new = shop.release("2")
    shop.host("web1").cut(FOREVER)
    shop.gapless("deploy", "--yes", code=5)
    assert schema.ran == ["web2 up"]
    assert shop.live() == [old, new, new]
