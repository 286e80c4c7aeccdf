"""A unit that does not run from the release would be restarted and go on with the old code."""

from __future__ import annotations

import pytest

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from tests.simulation.faults.shop import HOSTS, Shop

CHECKED = "expect: {json: {status: healthy"


async def _no_links(host: FakeHost, command: Command) -> Answer:
    """``readlink`` where no link is in the way."""
    paths = command.argv[command.argv.index("--") + 1 :]
    return 0, "".join(f"{path}\n" for path in paths), ""


def runs(shop: Shop, argv: str, *hosts: str) -> None:
    """What the unit executes there, which works nowhere in particular."""
    told = f"{{ path={argv.split()[0]} ; argv[]={argv} ; ignore_errors=no ; pid=0 }}"
    for host in hosts:
        shop.unit(host).extra.update({"ExecStart": told, "WorkingDirectory": ""})
        shop.host(host).programs["readlink"] = _no_links


@pytest.mark.parametrize("forced", [(), ("--force", "--reason", "now")])
def test_a_unit_that_runs_beside_the_link_is_refused_before_any_change(
    shop: Shop, forced: tuple[str, ...]
) -> None:
    runs(shop, "/usr/bin/python3 /srv/api/srv.py", *HOSTS)
    before = shop.live()
    shop.release("2")
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", *forced, code=3)
    assert "the unit runs /srv/api/srv.py, not /srv/api/current" in ended.text
    assert shop.changed() == []
    assert shop.live() == before


def test_plan_and_doctor_tell_it_and_a_restart_does_not_mind(shop: Shop) -> None:
    runs(shop, "/usr/bin/python3 /srv/api/srv.py", *HOSTS)
    shop.release("2")
    planned = shop.gapless("plan", "deploy", code=0)
    assert "the unit runs /srv/api/srv.py, not /srv/api/current" in planned.text
    examined = shop.gapless("doctor", code=3)
    assert "the unit runs /srv/api/srv.py" in examined.text
    assert "WorkingDirectory=/srv/api/current" in examined.text
    shop.world.history.clear()
    shop.gapless("restart", "--yes", code=0)
    assert shop.changed() == [f"{host} restart" for host in HOSTS]


def test_what_nobody_can_tell_is_a_note_and_no_refusal(shop: Shop) -> None:
    runs(shop, "/usr/bin/start-api", "web2")
    release = shop.release("2")
    planned = shop.gapless("plan", "deploy", code=0)
    note = "it cannot be told whether api.service runs from /srv/api/current: it does not name it"
    assert f"api: {note} (web2)" in planned.text
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(release)


def test_a_check_may_ask_for_the_release_that_was_just_deployed(shop: Shop) -> None:
    shop.edit(CHECKED, CHECKED + ', version: "{release}"')
    release = shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(release)
    shop.gapless("restart", "--yes", code=0)
    assert shop.gapless("status", code=0).text.count("PASS") == len(HOSTS)
    shop.gapless("rollback", "--yes", code=0)
    assert shop.live() != [release] * len(HOSTS)


def test_one_that_comes_up_with_other_code_is_caught_and_taken_back(shop: Shop) -> None:
    shop.edit(CHECKED, CHECKED + ', version: "{release}"')
    before = shop.live()[0]
    shop.release("2")
    shop.host("web1").files.link(f"releases/{before}", "/srv/api/pinned")
    shop.unit("web1").release_link = "/srv/api/pinned"
    shop.unit("web1").extra["WorkingDirectory"] = "/srv/api/current"  # which is not what it says
    shop.gapless("deploy", "--yes", code=4)
    shop.all_serve(before)
