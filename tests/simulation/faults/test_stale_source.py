"""A release source that changed since the plan was made: refused before the first change of all."""

from __future__ import annotations

from pathlib import Path

from tests.simulation.faults.shop import HOSTS, Shop

STORE = """\
  store:
    on: [web1, web2, web3]
    systemd: store.service
    release: {directory: store, to: /srv/store}
"""


def add_store(shop: Shop) -> None:
    """A second service with a release of its own, which goes first."""
    shop.edit("services:\n  api:\n", f"services:\n{STORE}  api:\n    after: [store]\n")
    (shop.folder / "store").mkdir()
    (shop.folder / "store" / "app").write_text("1")
    for host in HOSTS:
        files = shop.host(host).files
        files.mkdir("/srv/store/releases/old")
        files.link("releases/old", "/srv/store/current")
        unit = shop.host(host).add_unit(
            "store.service", port=8100, release_link="/srv/store/current"
        )
        shop.do(_started(unit))


async def _started(unit: object) -> None:
    unit.run_already()  # type: ignore[attr-defined]


def test_a_stale_source_refuses_before_any_service_is_changed(shop: Shop, tmp_path: Path) -> None:
    add_store(shop)
    shop.release("2")
    before = shop.live()
    plan = str(tmp_path / "two.json")
    shop.gapless("plan", "deploy", "-o", plan, code=0)
    shop.release("3")
    ended = shop.gapless("deploy", plan, "--yes", code=3)
    assert "GL-203" in ended.text
    assert "api: planned " in ended.text
    assert shop.events("rollout.refused")[-1].data["next"] == "gapless plan deploy api"
    assert "Nothing was changed." in ended.text
    assert shop.last().outcome == "refused"
    shop.rest()
    assert shop.changed() == [], "store is in the wave before"
    assert shop.live() == before


def test_a_source_that_cannot_be_read_refuses_as_well(shop: Shop, tmp_path: Path) -> None:
    shop.release("2")
    plan = str(tmp_path / "one.json")
    shop.gapless("plan", "deploy", "-o", plan, code=0)
    (shop.folder / "release" / "app").unlink()
    ended = shop.gapless("deploy", plan, "--yes", code=3)
    assert "the release is empty" in ended.text
    assert "Nothing was changed." in ended.text
    assert shop.changed() == []
