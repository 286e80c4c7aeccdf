"""The migration goes wrong: nothing that runs was touched."""

from __future__ import annotations

import asyncio

from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import Shop


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
