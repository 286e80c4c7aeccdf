"""What an abort and a second Ctrl-C are called, and what they really do."""

from __future__ import annotations

import pytest

from gapless.cli import running
from gapless.cli.stopping import Stopping
from tests.simulation.faults.shop import HOSTS, Shop


def test_an_abort_is_told_as_one(shop: Shop) -> None:
    shop.release("2")
    shop.kill_at("soak")
    shop.killed("deploy", "--yes")
    shop.rest()
    ended = shop.gapless("abort", code=4)
    assert ended.out.startswith("✗  aborted, asked for by ")
    assert "GL-408" in ended.out.splitlines()[0]
    assert "Aborted; the old version is restored and checked" in ended.text
    assert "to try again: gapless deploy api" in ended.text
    assert "mend the cause" not in ended.text


def test_the_way_back_names_its_services(shop: Shop) -> None:
    shop.release("2")
    shop.at("drain", lambda: None)
    stopping(shop, "soak", times=2, host=1)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "undo1: rollback of api" in ended.err
    assert "?" not in ended.err


@pytest.mark.parametrize(("on_failure", "code"), [("rollback", 4), ("stop", 5)])
def test_ctrl_c_twice_ends_as_on_failure_says(shop: Shop, on_failure: str, code: int) -> None:
    (old, *_) = shop.live()
    shop.edit("canary: 1", f"on_failure: {on_failure}")
    new = shop.release("2")
    stopping(shop, "soak", times=2, host=1)
    ended = shop.gapless("deploy", "--yes", code=code)
    assert ended.out.startswith("✗  aborted, asked for at the keyboard")
    assert "GL-408" in ended.out.splitlines()[0]
    assert "mend the cause" not in ended.text
    assert "on_failure decides about earlier ones" in ended.err
    assert shop.live() == [old if code == 4 else new, old, old]
    assert shop.serving() == list(HOSTS)


def stopping(shop: Shop, step: str, *, times: int, host: int) -> None:
    """Ctrl-C so often at a step of the host with that number."""
    made: list[Stopping] = []
    seen: list[str] = []

    class Remembered(Stopping):
        def __init__(self, *parts: object) -> None:
            super().__init__(*parts)  # type: ignore[arg-type]
            made.append(self)

    def at() -> None:
        seen.append(step)
        if len(seen) <= host:
            shop.at(step, at)
            return
        for _ in range(times):
            made[0].ask()

    shop.patch.setattr(running, "Stopping", Remembered)
    shop.at(step, at)
