"""Output that is too much or no text: limited, marked, readable, and judged rightly."""

from __future__ import annotations

import pytest

from gapless.testing.fake_unit import Behaviour
from tests.simulation.faults.local import Local, Told
from tests.simulation.faults.shop import Shop

pytestmark = pytest.mark.real

MB = 1024
"""kB of a MB."""
ODD = r"printf 'caf\351 \377\376 says: %s\n'"
"""Prints bytes that are no UTF-8."""
READ = "caf\ufffd \ufffd\ufffd says:"
FLOODS = {
    "lines": "yes 0123456789012345678901234567890123456789012345678 | head -c 50000000",
    "one line": r"head -c 50000000 /dev/zero | tr '\0' x",
}
FLOODED = pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)


def script(local: Local, flood: str, last: str, status: int) -> str:
    """50 MB, the memory of whoever reads them, a last word, an exit status."""
    peak = f"grep VmHWM /proc/$PPID/status > '{local.folder}/peak'"
    return f"{flood}; {peak}; echo; echo '{last}'; exit {status}"


def limited(local: Local, told: Told) -> None:
    """Nobody held the 50 MB, and nobody keeps or shows them."""
    assert local.peak() < 45 * MB, "who read the output held it"
    assert told.memory < local.usual + 15 * MB, "the controller held the output"
    assert local.journal_size() < 2_000_000
    assert len(str(told.report)) < 10_000
    assert len(told.screen) < 10_000


def in_place(local: Local, told: Told, *, new: bool, before: tuple[str, str]) -> None:
    """All new, or all as before: the same copy when nothing was switched."""
    assert told.report["outcome"] == ("done" if new else "restored")
    assert (local.live() != before[0]) is new
    assert local.identity(), "it does not run"
    assert not list(local.folder.glob("srv/releases/*.incoming"))


def now(local: Local) -> tuple[str, str]:
    return local.live(), local.identity()


# -- not UTF-8 --------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "code"), [(0, 0), (2, 4)], ids=["healthy", "critical"])
def test_non_utf8_output_of_a_health_command(local: Local, status: int, code: int) -> None:
    before = now(local)
    local.release(health=f"{ODD} {status}; exit {status}")
    told = local.deploy(code=code)
    in_place(local, told, new=code == 0, before=before)
    if code:
        assert "api on here: not ready after 1 s" in told.text
        assert f"exit 2: {READ} 2 (wanted exit 0)" in told.text
        assert told.report["failures"][0]["verdict"]["status"] == "FAIL"


@pytest.mark.parametrize(("status", "code"), [(0, 0), (1, 4)], ids=["succeeds", "fails"])
def test_non_utf8_output_of_a_migration(local: Local, status: int, code: int) -> None:
    before = now(local)
    local.release(migrate=f"{ODD} {status} >&2; exit {status}")
    told = local.deploy(code=code)
    in_place(local, told, new=code == 0, before=before)
    if code:
        assert now(local) == before, "something that runs was changed"
        assert "during migrate: the migration ended with status 1" in told.text
        assert f"{READ} 1" in told.text


def test_non_utf8_output_in_the_journal_of_a_unit(shop: Shop) -> None:
    (old, *_) = shop.live()
    shop.bad_release(Behaviour(healthy_after=None, says=(b"caf\xe9 \xff\xfe says: no \x1b[31m",)))
    ended = shop.gapless("deploy", "--yes", code=4)
    assert shop.last().outcome == "restored"
    assert f"{READ} no \ufffd[31m" in ended.text, "readable, and nothing a terminal obeys"
    shop.rest()
    shop.all_serve(old)
    shop.world.check()


# -- 50 MB ------------------------------------------------------------------------------------


@FLOODED
def test_50_mb_of_output_of_a_health_command(local: Local, flood: str) -> None:
    before = now(local)
    local.release(health=script(local, flood, "last", 2))
    told = local.deploy(code=4)
    limited(local, told)
    in_place(local, told, new=False, before=before)
    assert "api on here: not ready after 1 s" in told.text
    answer = told.report["failures"][0]["verdict"]["answer"]
    assert answer.startswith("exit 2: ")
    assert "…" in answer, "it does not say that there was more"


@FLOODED
def test_50_mb_of_output_of_a_healthy_health_command(local: Local, flood: str) -> None:
    before = now(local)
    local.release(health=script(local, flood, "last", 0))
    told = local.deploy(code=0)
    limited(local, told)
    in_place(local, told, new=True, before=before)


@FLOODED
def test_50_mb_of_output_of_a_migration(local: Local, flood: str) -> None:
    before = now(local)
    local.release(migrate=script(local, flood, "ERROR: relation invoices exists", 1))
    told = local.deploy(code=4)
    limited(local, told)
    in_place(local, told, new=False, before=before)
    assert now(local) == before, "something that runs was changed"
    assert "during migrate: the migration ended with status 1" in told.text
    assert "ERROR: relation invoices exists" in told.text, "the last words are lost"
    assert "bytes dropped …" in told.text, "it does not say that there was more"


@FLOODED
def test_50_mb_of_output_of_a_migration_that_succeeds(local: Local, flood: str) -> None:
    before = now(local)
    local.release(migrate=script(local, flood, "migrated", 0))
    told = local.deploy(code=0)
    limited(local, told)
    in_place(local, told, new=True, before=before)
