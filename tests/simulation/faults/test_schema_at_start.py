"""The service applies its schema when it starts, and the data refuses lower versions for ever."""

from __future__ import annotations

import pytest

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer
from gapless.testing.fake_unit import NEVER_READY, Behaviour
from gapless.testing.faults import Fault, What
from gapless.testing.world import World
from tests.simulation.faults.shop import HOSTS, Shop


class Cassandra:
    """The newest version that any started release applied; what was bumped on which host."""

    def __init__(self, shop: Shop, keys: str) -> None:
        self.shop = shop
        self.version = 1
        self.bumped: dict[str, int] = {}
        self.declare(shop, 1, keys)
        for host in HOSTS:
            shop.host(host).programs["schema"] = self._called

    def declare(self, shop: Shop, version: int, keys: str = "") -> None:
        """What the next release works with."""
        (shop.folder / "release" / "SCHEMA").write_text(f"{version}\n")
        if keys:
            shop.edit("to: /srv/api}", "to: /srv/api, schema: {file: SCHEMA, " + keys + "}}")

    async def _called(self, host: FakeHost, command: Command) -> Answer:
        if command.argv[1] == "current":
            return 0, f"{self.version}\n", ""
        if command.argv[1] == "up":
            self.version += 1
            return 0, "", ""
        self.bumped[host.name] = int(command.argv[2])
        return 0, "", ""


BOTH = "at_start: true, current: schema current, bump: 'schema bump {version}'"
ONE = "at_start: true, current: schema current"


def risen(shop: Shop, keys: str, behaviour: Behaviour) -> tuple[Cassandra, str]:
    """A site on schema 1, and a release of schema 2 that misbehaves where it starts."""
    data = Cassandra(shop, keys)
    shop.release("1")
    shop.gapless("deploy", "--yes", code=0)
    data.declare(shop, 2)
    old = shop.live()[0]
    new = shop.bad_release(behaviour)

    def started(world: World) -> None:
        if any(shop.unit(host).version == new for host in HOSTS):
            data.version = max(data.version, 2)

    shop.world.on_change(started)
    return data, old


def test_without_a_way_back_it_is_refused_before_anything_is_changed(shop: Shop) -> None:
    data, old = risen(shop, ONE, NEVER_READY)
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", code=3)
    assert f"an abort could not go back from schema 2 to {old}" in ended.text
    assert "--no-way-back" in ended.text
    assert shop.changed() == []
    assert data.version == 1
    shop.all_serve(old)


def test_the_plan_says_what_an_abort_will_do(shop: Shop) -> None:
    _, old = risen(shop, BOTH, NEVER_READY)
    ended = shop.gapless("plan", "deploy", code=0)
    assert "the schema goes from 1 to 2" in ended.text
    assert f"bumps {old} to 3" in ended.text


def test_the_plan_says_which_hosts_an_abort_cannot_bump(shop: Shop) -> None:
    risen(shop, BOTH, NEVER_READY)
    ended = shop.gapless("plan", "deploy", "--hosts", "web1", code=0)
    assert "web2, web3 not in this plan: the old release there is not bumped" in ended.text


def test_an_abort_bumps_the_old_release_on_every_host(shop: Shop) -> None:
    """Also where it was never stopped: its next start would be refused otherwise."""
    data, old = risen(shop, BOTH, NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert data.version == 2, "the canary applied it"
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    assert "bumped to schema 3" in ended.text
    shop.all_serve(old)
    shop.world.check()


def test_an_abort_bumps_where_the_switch_came_to_nothing(shop: Shop) -> None:
    """web2 was not changed, as little as web3, which was never reached."""
    data, old = risen(shop, BOTH, Behaviour())
    shop.world.faults.add(Fault(What.HOST_FAULT, verb="act", host="web2", about="restart"))
    shop.gapless("deploy", "--yes", code=4)
    assert data.version == 2
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


def test_every_host_is_bumped_to_the_same_version(shop: Shop) -> None:
    """web2 crashed while its switch failed: what goes back there is not what is live there."""
    data, old = risen(shop, BOTH, Behaviour())
    shop.world.faults.add(Fault(What.HOST_FAULT, verb="act", host="web2", about="restart"))
    shop.at("web2/api/switch", lambda: shop.unit("web2").run_already())
    shop.gapless("deploy", "--yes", code=4)
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


def test_what_never_rose_is_not_bumped(shop: Shop) -> None:
    data, old = risen(shop, BOTH, NEVER_READY)
    shop.world.on_change(lambda world: setattr(data, "version", 1))
    shop.gapless("deploy", "--yes", code=4)
    assert data.bumped == {}
    shop.all_serve(old)


def test_whoever_gives_the_way_back_up_says_why(shop: Shop) -> None:
    risen(shop, ONE, NEVER_READY)
    refused = shop.gapless("deploy", "--yes", "--no-way-back", code=2)
    assert "needs --reason" in refused.text
    plan = shop.gapless("plan", "deploy", "--no-way-back", "--reason", "tested twice", code=0)
    assert "there is no way back" in plan.text


@pytest.mark.parametrize("batch", [1, 2])
def test_a_rollback_by_hand_bumps_too(shop: Shop, batch: int) -> None:
    data, old = risen(shop, BOTH, Behaviour())
    shop.edit("batch: 1}", f"batch: {batch}, max_unavailable: {batch}}}")
    shop.gapless("deploy", "--yes", code=0)
    assert data.version == 2
    shop.gapless("rollback", "--yes", code=0)
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


def test_a_rollback_by_hand_of_a_given_up_way_back_is_refused(shop: Shop) -> None:
    """The data refuses the release before for ever: not even the first host is tried."""
    data, _ = risen(shop, ONE, Behaviour())
    shop.gapless("deploy", "--yes", "--no-way-back", "--reason", "tested twice", code=0)
    assert data.version == 2
    live = shop.live()
    shop.world.history.clear()
    ended = shop.gapless("rollback", "--yes", code=3)
    assert "applied at its start is never taken back, and schema.bump is not given" in ended.text
    assert shop.changed() == []
    shop.all_serve(live[0])


@pytest.mark.parametrize(
    "keys", ["bump: 'schema bump {version}', current: schema current", "reads: [1, 2]"]
)
def test_a_rollback_by_hand_keeps_what_the_plan_said_of_an_abort(shop: Shop, keys: str) -> None:
    """A migration without ``down``: the older release is bumped over it, or lives with it."""
    data = Cassandra(shop, keys)
    migrate = "    migrate: {run: schema up, current: schema current}"
    shop.edit("    balancer:", f"{migrate}\n    balancer:")
    shop.release("1")
    shop.gapless("deploy", "--yes", "--skip-migrations", code=0)
    old = shop.live()[0]
    data.declare(shop, 2)
    shop.release("2")
    plan = shop.gapless("plan", "deploy", code=0)
    assert "an abort leaves it there" in plan.text
    shop.gapless("deploy", "--yes", code=0)
    assert data.version == 2
    shop.gapless("rollback", "--yes", code=0)
    assert data.bumped == (dict.fromkeys(HOSTS, 3) if "bump" in keys else {})
    shop.all_serve(old)


IN_THE_RELEASE = "at_start: true, current: bin/schema current, bump: 'bin/schema bump {version}'"


def comes_with_the_release(shop: Shop, data: Cassandra) -> None:
    """``bin/schema`` is there only where a release is live, or in the folder of one."""

    async def called(host: FakeHost, command: Command) -> Answer:
        live = command.cwd and command.cwd.startswith("/srv/api/releases/")
        if not live:
            return 127, "", "bin/schema: program not found on this host\n"
        return await data._called(host, command)

    for host in HOSTS:
        shop.host(host).programs["bin/schema"] = called


def unreleased(shop: Shop, *hosts: str) -> None:
    for host in hosts:
        shop.host(host).files.remove("/srv/api/current")
        shop.unit(host).run_already()


UNKNOWN = "the live schema is not known: no release is live yet"


@pytest.mark.parametrize("asked", ["schema.current", "migrate.current"])
def test_the_first_release_brings_the_program_that_is_asked(shop: Shop, asked: str) -> None:
    unreleased(shop, *HOSTS)
    own = asked == "schema.current"
    data = Cassandra(shop, IN_THE_RELEASE if own else "reads: [1, 1]")
    comes_with_the_release(shop, data)
    if not own:
        migrate = "    migrate: {run: bin/schema up, current: bin/schema current}"
        shop.edit("    balancer:", f"{migrate}\n    balancer:")
    new = shop.release("2")
    assert UNKNOWN in shop.gapless("plan", "deploy", code=0).text
    shop.gapless("deploy", "--yes", code=0)
    shop.all_serve(new)
    assert data.version == (1 if own else 2)
    shop.release("3")
    assert UNKNOWN not in shop.gapless("plan", "deploy", code=0 if own else 3).text


def test_a_first_release_that_fails_has_nothing_to_bump(shop: Shop) -> None:
    unreleased(shop, *HOSTS)
    data = Cassandra(shop, IN_THE_RELEASE)
    comes_with_the_release(shop, data)
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    assert data.bumped == {}
    shop.all_serve("")


def test_the_schema_is_asked_of_a_host_that_has_a_release(shop: Shop) -> None:
    """web1 is new, and the program lies in the release."""
    data = Cassandra(shop, IN_THE_RELEASE)
    comes_with_the_release(shop, data)
    shop.release("1")
    shop.gapless("deploy", "--yes", code=0)
    unreleased(shop, "web1")
    data.declare(shop, 2)
    shop.release("2")
    assert "the schema goes from 1 to 2" in shop.gapless("plan", "deploy", code=0).text


@pytest.mark.parametrize("live", [True, False])
def test_a_program_that_fails_is_no_unknown_schema(shop: Shop, live: bool) -> None:
    if not live:
        unreleased(shop, *HOSTS)
    Cassandra(shop, BOTH)

    async def fails(host: FakeHost, command: Command) -> Answer:
        return 1, "", "no contact to the data\n"

    for host in HOSTS:
        shop.host(host).programs["schema"] = fails
    shop.release("2")
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", code=3)
    assert "the live schema version cannot be read" in ended.text
    assert "no contact to the data" in ended.text
    assert shop.changed() == []


def test_a_program_that_the_live_release_lacks_is_no_unknown_schema(shop: Shop) -> None:
    Cassandra(shop, BOTH)
    for host in HOSTS:
        del shop.host(host).programs["schema"]
    shop.release("2")
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", code=3)
    assert "the live schema version cannot be read" in ended.text
    assert "bring schema to /srv/api/releases/" in ended.text
    assert "schema.current and migrate.current taken out of gapless.yaml" in ended.text
    assert shop.changed() == []


def undeclared(shop: Shop, keys: str, behaviour: Behaviour) -> tuple[Cassandra, str]:
    """A site on schema 1 whose release was deployed before there was ``schema:``, and a release of
    schema 2."""
    old = shop.live()[0]
    data = Cassandra(shop, keys)
    data.declare(shop, 2)
    new = shop.bad_release(behaviour)

    def started(world: World) -> None:
        if any(shop.unit(host).version == new for host in HOSTS):
            data.version = max(data.version, 2)

    shop.world.on_change(started)
    return data, old


def test_a_release_that_declares_nothing_lives_with_the_live_schema_only(shop: Shop) -> None:
    _, old = undeclared(shop, ONE, NEVER_READY)
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", code=3)
    assert f"an abort could not go back from schema 2 to {old}" in ended.text
    assert f"{old} reads up to 1" in ended.text
    assert shop.changed() == []


def test_an_abort_bumps_a_release_that_declares_nothing(shop: Shop) -> None:
    data, old = undeclared(shop, BOTH, NEVER_READY)
    assert f"bumps {old} to 3" in shop.gapless("plan", "deploy", code=0).text
    shop.gapless("deploy", "--yes", code=4)
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


@pytest.mark.parametrize("step", ["ready", "undo-switch", "undo-ready"])
def test_an_abort_after_a_crash_bumps_it_all_the_same(shop: Shop, step: str) -> None:
    """What it lives with is asked of the plan, not of the data, which rose meanwhile."""
    data, old = undeclared(shop, BOTH, NEVER_READY)
    shop.at(f"web1/api/{step}", lambda: shop.loop.call_later(0.001, shop.kill))
    shop.killed("deploy", "--yes")
    assert data.version == 2
    shop.gapless("abort", code=4)
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    shop.all_serve(old)


def test_a_rollback_by_hand_bumps_what_declares_nothing(shop: Shop) -> None:
    data, old = undeclared(shop, BOTH, Behaviour())
    shop.gapless("deploy", "--yes", code=0)
    plan = shop.gapless("rollback", "--dry-run", code=0)
    assert f"where the schema rose to 2 it stays, and {old} is bumped to 3" in plan.text
    ended = shop.gapless("rollback", "--yes", code=0)
    assert data.bumped == dict.fromkeys(HOSTS, 3)
    assert "schema api 2 stays, old releases bumped to 3" in ended.text
    shop.all_serve(old)


def test_a_failure_tells_what_became_of_the_schema(shop: Shop) -> None:
    risen(shop, BOTH, NEVER_READY)
    ended = shop.gapless("deploy", "--yes", code=4)
    told = "schema api 2 stays, old releases bumped to 3"
    assert ended.text.count(told) == 1
    assert told in shop.gapless("history", shop.last().id, code=0).text


def test_after_a_bump_the_next_release_is_told_what_to_declare(shop: Shop) -> None:
    """The old release applied at its start what it was bumped to."""
    data, _ = risen(shop, BOTH, NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    data.version = 3
    ended = shop.gapless("deploy", "--yes", code=3)
    assert "let the release declare at least 3" in ended.text
    assert "migrate.down" not in ended.text
