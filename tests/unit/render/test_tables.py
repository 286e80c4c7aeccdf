"""status, history, locks and doctor."""

from __future__ import annotations

from dataclasses import replace

from gapless.engine.journal import LockRecord, RolloutRecord, RolloutState
from gapless.finding import Finding
from gapless.lockholders import HostLock
from gapless.model import Verdict, VerdictStatus
from gapless.render.tables import (
    render_check,
    render_doctor,
    render_history,
    render_locks,
    render_status,
)
from gapless.status import StatusRow
from tests.unit.render import goldens, streams

NOW = streams.T0 + 7200
LOST = Verdict(VerdictStatus.INCONCLUSIVE, "contact", "ask web3", "no route to host")


def test_status() -> None:
    rows = [
        StatusRow("shop.postgresql", "db1", "running", "", "a1", streams.T0, 0, "", None),
        StatusRow(
            "shop.api", "web1", "running", "acd310e794e5", "b2", NOW - 75, 0, "up", streams.HEALTHY
        ),
        StatusRow(
            "shop.api", "web2", "running", "3c9a41d05b7e", "c3", NOW - 9, 3, "drained", streams.BUSY
        ),
        StatusRow("shop.api", "web3", "unknown", verdict=LOST, error="no route to host"),
    ]
    goldens.check("status", render_status(rows, NOW))


def test_status_names_those_that_are_behind_and_the_command() -> None:
    rows = [
        StatusRow("shop.api", f"web{n}", "running", "v1", verdict=streams.HEALTHY, behind="v2")
        for n in (1, 2, 3)
    ]
    told = render_status(rows, NOW).splitlines()[-1]
    assert told == "shop.api on web[1:3] missed v2: gapless catch-up shop.api"
    assert rows[0].to_json()["behind"] == "v2"


def _rollout(name: str, outcome: str, **more: object) -> RolloutRecord:
    return RolloutRecord(
        name, "shop", "deploy", ("shop.postgresql", "shop.api", "shop.web", "shop.cron"), "d",
        "alice", "deploy1", 4711, streams.T0, reason="invoice fix", outcome=outcome, **more,  # type: ignore[arg-type]
    )  # fmt: skip


def test_history() -> None:
    rows = [
        _rollout("rtouehn-7f3a", "", state=RolloutState.RUNNING),
        _rollout("7f39", "nothing_to_do", state=RolloutState.ENDED, ended=streams.T0 + 0.4),
        _rollout("7f38", "restored", state=RolloutState.ENDED, ended=streams.T0 + 185),
    ]
    goldens.check("history", render_history(rows, streams.T0 + 42))


def test_locks() -> None:
    live = LockRecord(
        "shop.api", "rtouehn-7f3a", "alice", "deploy1", 4711, streams.T0, "fix", 3, True
    )
    dead = LockRecord("shop.web", "rtoudvw-6e21", "bob", "laptop", 99, streams.T0 - 90_000, "", 1)
    waits = _rollout("rtoudvw-6e21", "", state=RolloutState.INTERRUPTED)
    goldens.check("locks", render_locks([live, dead], streams.T0 + 61, [waits]))
    assert render_locks([], NOW) == "Nothing is locked.\n"


def test_a_cluster_that_a_rollout_here_owns_beside_its_own_is_none_of_a_stranger() -> None:
    """Only the hosts know it: the journal has what the rollout restarts."""
    own = LockRecord("etcd", "rtouehn-7f3a", "alice", "deploy1", 4711, streams.T0, "", 3, True)
    why = "restart of etcd, which is on the same hosts"
    beside = HostLock(
        "patroni", "rtouehn-7f3a", "alice", "deploy1", 4711, streams.T0, why, True, ("db1", "db2")
    )
    text = render_locks([own], streams.T0 + 61, (), [beside])
    assert why in text
    assert "What only hosts know" not in text
    assert "lock break" not in text
    other = replace(beside, rollout="rtoudvw-6e21", controller="laptop")
    assert "What only hosts know is laptop's" in render_locks([own], NOW, (), [other])


def test_doctor() -> None:
    sudo = Verdict(VerdictStatus.FAIL, "sudo", "sudo -n true", "not allowed", "root or sudo")
    good = Verdict(VerdictStatus.PASS, "ssh", "connect to web1", "as deploy")
    findings = [
        Finding("web1", "ssh", good),
        Finding("web1", "sudo", sudo, "allow deploy to use sudo: docs/how-to/sudo.md"),
        Finding("web2", "ssh", good),
        Finding("web3", "ssh", LOST, "ssh web3 by hand"),
    ]
    goldens.check("doctor", render_doctor(findings))


def test_check() -> None:
    goldens.check("check", render_check("shop", {"": (2, 5)}, "gapless.yaml", "gapless doctor"))


def test_narrow_terminals_lose_columns_not_words() -> None:
    rows = [_rollout("rtouehn-7f3a", "done")]
    lines = render_history(rows, NOW, 60).splitlines()
    assert max(map(len, lines)) <= 60
    assert "OUTCOME" in lines[0]
    assert "REASON" not in lines[0]
    assert "done" in lines[1]
    assert "REASON" in render_history(rows, NOW)


def test_a_healthy_site_is_told_with_what_was_asked() -> None:
    good = Verdict(VerdictStatus.PASS, "ssh", "connect to web1", "as deploy")
    text = render_doctor([Finding("web1", "ssh", good), Finding("web1", "shop.api", good)])
    assert "asked   ssh, shop.api" in text


def test_a_narrow_status_still_says_what_was_wanted() -> None:
    rows = [
        StatusRow("shop.api", "web2", "running", "3c9a41d05b7e", "c3", NOW, 3, "up", streams.BUSY),
        StatusRow("shop.api", "web3", "running", "3c9a41d05b7e", "c3", NOW, 0, "up", None),
    ]
    narrow = render_status(rows, NOW, width=80)
    assert all(len(line) <= 80 for line in narrow.splitlines())
    told = " ".join(narrow.split())
    assert "shop.api on web2: FAIL GET http://127.0.0.1:3001/health → 503" in told
    assert "(wanted status 200, status: healthy)" in told
    assert "…" not in narrow


def test_a_link_that_was_moved_by_hand_is_told() -> None:
    row = StatusRow("shop.api", "web2", "running", "bad", "c3", NOW, 0, "up", last_good="good")
    told = render_status([row, replace(row, release="", host="web3")], NOW)
    assert "shop.api on web2: bad is linked, good was verified last" in told
    assert "shop.api on web3: no release is linked, good was verified last" in told


def test_configuration_that_somebody_else_wrote_is_told() -> None:
    row = StatusRow("shop.api", "web2", "running", config="a-1", config_good="a-2")
    told = render_status([row, replace(row, host="web3"), replace(row, config_good="")], NOW)
    assert "shop.api on web2 web3: configuration is not what was verified last" in told
    assert "gapless plan deploy shop.api --diff" in told


def test_who_drained_it_by_hand_is_told_and_that_a_balancer_has_it_in() -> None:
    told = {"actor": "alice", "since": NOW - 3600, "reason": "new disk"}
    row = StatusRow("shop.api", "web2", "running", serving="drained", by_hand=told)
    forgot = replace(row, host="web3", serving="up", has_it_in=("edge",))
    screen = render_status([row, forgot, replace(row, host="web4", by_hand={})], NOW)
    assert "shop.api on web2: drained by hand (by alice, " in screen
    assert "ago: new disk)" in screen
    assert "shop.api on web3: drained by hand, but edge has it in (by alice, " in screen
    assert "gapless admit shop.api@web3" in screen
    assert "web4: drained" not in screen
