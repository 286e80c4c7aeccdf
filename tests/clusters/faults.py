"""What goes wrong in the middle of a rollout, whatever the cluster is: nobody else is touched, and
what was acknowledged is there.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from tests.clusters.breaking import cut_off, need_filter, slowed
from tests.clusters.site import Site, Writer

_RESTART = ("restart", "--yes", "--reason", "test")
_FEW = 20
"""Writes that show nothing yet."""
_REFUSED = 3
"""Exit of one that nobody was touched by."""
_REJOINED = ("step.succeeded", "rejoin")
_WHILE = 1.0
"""Seconds in which a rollout looks at its cluster many times."""
STOPPED = 5
"""Exit of a rollout that stopped and left the rest as it was."""


class FaultySite(Site):
    """A cluster that can be broken, and mended again: several tests share it."""

    FAILURES: type[Exception] = OSError
    """Of a write that was not acknowledged."""
    RATE = 50.0
    """Writes per second."""

    def __init__(self, folder: Path, names: list[str]) -> None:
        super().__init__(folder, names)
        self._rollouts: list[subprocess.Popen[bytes]] = []

    def end(self) -> None:
        """Nothing runs any more, nor does anybody start it again."""
        self.give_up()
        super().end()

    def give_up(self) -> None:
        """A test that failed may have left a rollout under way."""
        for rollout in self._rollouts:
            rollout.kill()
            rollout.wait()

    def put(self, key: str) -> None:
        """Raises FAILURES where it was not acknowledged."""
        raise NotImplementedError

    def lost(self, keys: list[str]) -> list[str]:
        """Those that are not there. Raises FAILURES where nobody can tell."""
        raise NotImplementedError

    def leader(self) -> str:
        """Who is one, by name."""
        raise NotImplementedError

    def begins(self, name: str) -> list[str]:
        """The words that its process is started with."""
        raise NotImplementedError

    def data(self, name: str) -> Path:
        """What a lost disk would take with it."""
        raise NotImplementedError

    def settled(self) -> None:
        """Returns when nothing is wrong with it."""
        raise NotImplementedError

    @property
    def followers(self) -> list[str]:
        """All but that one."""
        return [name for name in self.names if name != self.leader()]

    def other(self, than: str) -> str:
        """The follower that is not that one."""
        return next(name for name in self.followers if name != than)

    def mended(self) -> None:
        """Everybody runs as before, no rollout was ever there, and gapless.yaml is as it was."""
        self.write()
        self.give_up()
        for name in self.names:
            self.kept(name, self.begins(name))
            self.keep(name, "start")
        self.settled()
        for folder in ("state", "hosts"):
            shutil.rmtree(self.folder / folder, ignore_errors=True)

    def writing(self) -> Writer:
        """As long as it is entered."""
        return Writer(self.put, self.FAILURES, self.RATE)

    def restart(self, *words: str) -> subprocess.Popen[bytes]:
        """A rollout, under way."""
        self._rollouts.append(self.start(*_RESTART, *words))
        return self._rollouts[-1]

    def pid(self, name: str) -> int:
        """Of what the service manager started. Raises OSError, ValueError."""
        return int((self.folder / "keep" / f"{name}.pid").read_text())


def stays_away(site: FaultySite) -> None:
    """A member that does not come back is the last one that is touched."""
    for name in site.followers:
        site.kept(name, ["false"])
    with site.writing() as writer:
        told = site.run(*_RESTART, check=STOPPED)
    assert len(set(site.order())) == 1, told
    (gone,) = set(site.order())
    shown = " ".join(told.split())
    assert "2 of 3 in sync" in shown and f"not in sync: {gone}" in shown, told
    assert_nothing_lost(site, writer)


def refuses_who_comes_back_empty(site: FaultySite) -> None:
    """Each loses its disk while it is down: nobody comes after the first one."""
    lose_disks(site)
    with site.writing() as writer:
        told = site.run(*_RESTART, check=STOPPED)
    assert len(set(site.order())) == 1, told
    assert "2 of 3 in sync" in " ".join(told.split()), told
    assert_nothing_lost(site, writer)


def fills_who_comes_back_empty(
    site: FaultySite, is_full: Callable[[str], bool], *names: str
) -> None:
    """Each of these loses its disk while it is down, and has everything again before the next one
    is stopped."""
    lose_disks(site)
    seen = list[str]()
    with site.writing() as writer:
        rollout = site.restart("--hosts", ",".join(names))
        while rollout.poll() is None:
            touched = list(dict.fromkeys(site.order())) if begun(site) else []
            assert all(is_full(name) for name in touched[:-1] if name not in seen), touched
            seen = touched[:-1]
            time.sleep(0.02)
    assert rollout.returncode == 0
    assert sorted(site.order()) == sorted(names)
    assert_nothing_lost(site, writer)


def lose_disks(site: FaultySite) -> None:
    """Everybody, at its next start."""
    for name in site.names:
        lose_disk(site, name)


def lose_disk(site: FaultySite, name: str) -> None:
    """At its next start."""
    lost = ["sh", "-c", 'find "$0" -mindepth 1 -delete; exec "$@"', str(site.data(name))]
    site.kept(name, [*lost, *site.begins(name)])


def why(site: FaultySite) -> str:
    """The first thing that failed."""
    return next(str(one.data["what"]) for one in site.events() if one.type == "step.failed")


def begun(site: FaultySite) -> bool:
    """Whether a rollout has."""
    return (site.folder / "state" / "site").exists()


def broken_in_the_middle(
    site: FaultySite, broken: Callable[[str], AbstractContextManager[None]]
) -> None:
    """Another one, while the first is restarted: it is not stopped."""
    with site.writing() as writer:
        rollout = site.restart()
        first = site.wait_for("step.started", "switch")
        with broken(site.other(first)):
            assert rollout.wait(120) == STOPPED
    print(why(site))
    assert set(site.order()) == {first}
    assert_nothing_lost(site, writer)


def cut_off_in_the_middle(site: FaultySite) -> None:
    """The packets of another one are dropped while the first is restarted: it is not stopped."""
    need_filter()
    broken_in_the_middle(site, lambda other: cut_off(site.address(other)))


def lags_in_the_middle(
    site: FaultySite,
    behind: Callable[[str], AbstractContextManager[None]],
    is_back: Callable[[str], bool],
) -> None:
    """Once the first one was stopped, another one lags for a while: it is waited for, nobody is
    stopped, and the rollout goes on by itself. Once that one was stopped the first lags, and does
    not stop to: it is named with its number, and not who is back; the leader is not touched."""
    before, leader = site.pids(), site.leader()
    with site.writing() as writer:
        rollout = site.restart()
        first = site.wait_for("step.started", "switch")
        other = site.other(first)
        with behind(other):
            site.wait_for("step.started", "rejoin")
            waited_for(lambda: is_back(first), f"{first} is back")
            time.sleep(_WHILE)
            assert site.order() == [first]
            assert not [e for e in site.events() if (e.type, e.step) == _REJOINED]
            assert rollout.poll() is None
        waited_for(lambda: other in site.order(), "the rollout goes on")
        with behind(first):
            assert rollout.wait(120) == STOPPED
    told = why(site)
    print(told)
    assert told.startswith("it is back, and its cluster is not well: nothing moved for "), told
    assert re.search(rf"\b{first}\b.* is [\d,]+ bytes behind", told), told
    assert set(site.order()) == {first, other}
    by_hand = [one for e in site.events() for one in e.data.get("manual", ())]
    assert by_hand and not [one for one in by_hand if "stop" in one], by_hand
    assert site.pids()[leader] == before[leader]
    assert_nothing_lost(site, writer)


def waited_for(holds: Callable[[], bool], what: str) -> None:
    """Until it does."""
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until, f"not within 60 s: {what}"
        time.sleep(0.05)


def stopped_by_hand_in_the_middle(site: FaultySite) -> None:
    """Another one, once the first is back; whatever comes next would be one too many."""
    with site.writing() as writer:
        rollout = site.restart()
        first = site.wait_for("step.started", "rejoin")
        other = site.other(first)
        site.keep(other, "stop")
        assert rollout.wait(120) == STOPPED
        assert set(site.order()) == {first}
        site.keep(other, "start")
        site.settled()
    assert_nothing_lost(site, writer)


def nobody_leads_who_is_stopped(site: FaultySite, rollout: subprocess.Popen[bytes]) -> None:
    """From now on until the rollout has ended well; what was stopped before is not looked at."""
    seen, until = site.order(), time.monotonic() + 120
    while rollout.poll() is None:
        assert time.monotonic() < until, "the rollout does not end"
        for name in site.order()[len(seen) :]:
            assert site.leader() != name, f"{name} was stopped while it led"
            seen.append(name)
        time.sleep(0.02)
    assert rollout.returncode == 0


def slow_in_the_middle(
    site: FaultySite, pids: Callable[[str], Iterable[int]], *, alone: bool = False
) -> None:
    """A follower that stands still most of the time is waited for, or nobody comes after it.
    ``alone``: only that one is restarted."""
    before, slow = site.pids(), site.followers[-1]
    asked = [slow] if alone else site.names
    with site.writing() as writer, slowed(lambda: pids(slow)):
        rollout = site.restart("--hosts", ",".join(asked))
        status = rollout.wait(150)
        print(f"exit {status}, {site.order()}")
    now, touched = site.pids(), list(dict.fromkeys(site.order()))
    restarted = {name for name in site.names if now[name] != before[name]}
    assert restarted <= set(touched) <= set(asked)
    if status == 0:
        assert restarted == set(asked)
    else:
        assert status in (STOPPED, _REFUSED) and slow not in touched[:-1]
    assert_nothing_lost(site, writer)


def refused_at_the_start(site: FaultySite, *codes: str) -> None:
    """Nobody is touched; what is told has these ``codes``."""
    before = site.pids()
    with site.writing() as writer:
        told = site.run(*_RESTART, check=None)
        deadline = time.monotonic() + 30
        while len(writer.acknowledged) <= _FEW and time.monotonic() < deadline:
            time.sleep(0.05)
    assert site.pids() == before
    for code in codes:
        assert code in told, told
    assert_nothing_lost(site, writer)


def assert_nothing_lost(site: FaultySite, writer: Writer) -> None:
    """Read from those that there are."""
    assert len(writer.acknowledged) > _FEW
    until = time.monotonic() + 30
    while True:
        with suppress(site.FAILURES):
            assert not site.lost(writer.acknowledged)
            return
        assert time.monotonic() < until, "nobody can be read from"
        time.sleep(0.1)
