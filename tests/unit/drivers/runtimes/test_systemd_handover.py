"""The drop-in that has a unit's next start find its variables."""

from __future__ import annotations

from gapless.config.services import SystemdConfig
from gapless.drivers.handover.base import HandsOver
from gapless.drivers.runtimes import systemd_files as files
from gapless.drivers.runtimes import systemd_handover as handover
from gapless.drivers.runtimes import systemd_view as view
from gapless.drivers.runtimes.systemd_pair import SystemdPair
from gapless.testing.virtual_time import run_virtual
from gapless.testing.world import World

UNIT = "bot@a.service"


def test_values_are_taken_as_they_are() -> None:
    text = handover.drop_in({"HANDOVER_LOCK": 'redis+unix:///run/a%20b".sock?db=0'})
    assert 'Environment="HANDOVER_LOCK=redis+unix:///run/a%%20b\\".sock?db=0"' in text
    assert "RestartPreventExitStatus=75 78" in text  # and not 0: who ends by himself comes back


def test_it_wins_over_what_a_person_edited_and_is_no_fragment() -> None:
    ours = handover.path(UNIT)
    assert sorted([ours, f"/etc/systemd/system/{UNIT}.d/override.conf"])[-1] == ours
    shown = {"FragmentPath": "/etc/systemd/system/bot@.service", "DropInPaths": f"{ours} /x/y.conf"}
    assert view.fragments(shown) == ("/etc/systemd/system/bot@.service", "/x/y.conf")


def test_going_back_leaves_it_alone() -> None:
    """It belongs to the copy that is started next, and not to what a deploy brought."""

    async def play() -> tuple[str, ...]:
        world = World()
        host = world.host("bot1")
        host.add_unit(UNIT, service="bot", slot="a")
        folder = f"/etc/systemd/system/{UNIT}.d"
        host.files.mkdir(folder)
        for name in (handover.path(UNIT).rpartition("/")[2], "override.conf"):
            host.files.write(f"{folder}/{name}", "[Service]\n")
        transport = world.transport("bot1")
        await transport.connect()
        kept = await files.keep(transport, (), "/var/kept", {})
        moved = await files.take_away(transport, UNIT, kept, (), 10.0)
        return tuple(word for command in moved for word in command.argv)

    words = run_virtual(play())
    assert f"/etc/systemd/system/{UNIT}.d/override.conf" in words
    assert not any("gapless-handover" in word for word in words)


def test_who_is_disarmed_is_not_started_by_a_reboot_either() -> None:
    async def play() -> tuple[list[bool], list[bool]]:
        world = World()
        host = world.host("bot1")
        units = [
            host.add_unit(f"bot@{slot}.service", service="bot", slot=slot, enabled=slot == "a")
            for slot in "ab"
        ]
        units[0].run_already()
        transport = world.transport("bot1")
        await transport.connect()
        copy = SystemdPair(SystemdConfig(unit="bot@{slot}.service"), "bot").copy("a")
        assert isinstance(copy, HandsOver)
        found = []
        for commands in (await copy.disarm(transport), ()):
            for command in commands or await copy.rearm(transport):
                if command.argv[0] == "systemctl":
                    assert (await transport.run(command)).ok
            found.append([unit.enabled for unit in units])
        return found[0], found[1]

    assert run_virtual(play()) == ([False, True], [True, False])


def test_what_is_left_of_a_handover_that_is_none_any_more_is_refused() -> None:
    """A copy that is started with it would be obsolete, and end."""

    async def play(*, hands_over: bool, left: str) -> list[str]:
        world = World()
        host = world.host("bot1")
        for slot in "ab":
            host.add_unit(f"bot@{slot}.service", service="bot", slot=slot)
        host.units[UNIT].run_already()
        if left:
            host.files.mkdir(f"/etc/systemd/system/{left}.d")
            host.files.write(handover.path(left), "[Service]\n")
        transport = world.transport("bot1")
        await transport.connect()
        config = SystemdConfig(unit="bot@{slot}.service")
        copy = SystemdPair(config, "bot", hands_over=hands_over).copy("a")
        found = await copy.preflight(transport)
        return [verdict.wanted for verdict in found if verdict.check == "handover"]

    assert run_virtual(play(hands_over=False, left="")) == []
    assert run_virtual(play(hands_over=True, left=UNIT)) == []
    for left in (UNIT, "bot@b.service"):
        (wanted,) = run_virtual(play(hands_over=False, left=left))
        assert f"rm {handover.path(left)}; systemctl daemon-reload" in wanted
