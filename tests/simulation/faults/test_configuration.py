"""Configuration is a deploy: rolled out, judged and taken back like a release, byte for byte."""

from __future__ import annotations

import json

import pytest

from gapless.model import Command
from gapless.testing.fake_host import FakeHost
from gapless.testing.fake_programs import Answer, failed, mv
from gapless.testing.fake_unit import NEVER_READY
from gapless.testing.faults import Fault, What, When
from tests.simulation.faults.configured import (
    APP,
    EXTRA,
    OLD,
    SECRET,
    again,
    configure,
    contents,
    files,
    five,
    kill_at_write,
    refuse_web3,
    told,
    until_killed,
    validator,
    variable,
    wanted,
)
from tests.simulation.faults.shop import HOSTS, Shop


@pytest.fixture
def configured(shop: Shop) -> Shop:
    """Release "1" everywhere; the files are in gapless.yaml and not on the hosts yet."""
    configure(shop)
    return shop


def test_configuration_alone_is_a_deploy(configured: Shop) -> None:
    shop, release = configured, configured.live()[0]
    shown = shop.gapless("plan", "deploy", code=0)
    assert f"configuration of {release}" in shown.text
    assert f"{EXTRA} on web[1:3]: +1 -0; not there yet; undo removes it" in shown.text
    assert f"{APP} on web1: +3 -2; mode 0604 → 0640; owner shop → api" in shown.text
    ended = shop.gapless("deploy", "--yes", code=0)
    assert "Deployed api: 3 instances" in ended.text
    assert contents(shop) == [wanted(host, 4) for host in HOSTS]
    node = shop.host("web1").files.node(APP)
    assert node is not None
    assert (node.mode, node.owner) == (0o640, "api")
    assert shop.changed() == [f"{host} restart" for host in HOSTS]
    shop.all_serve(release)
    again = shop.gapless("deploy", "--yes", code=0)
    assert "Nothing to do" in again.text
    variable(shop, 4, 8)
    shop.gapless("deploy", "--yes", code=0)
    assert contents(shop) == [wanted(host, 8) for host in HOSTS]
    assert shop.host("web1").files.read(EXTRA) == b"extra 1\n"
    hidden = [p for h in HOSTS for p in shop.host(h).files.nodes if "/.gapless-" in p]
    assert hidden == [], "what was staged is gone"
    shop.world.check()


def test_owner_and_mode_alone_are_a_deploy(configured: Shop) -> None:
    shop = configured
    shop.gapless("deploy", "--yes", code=0)
    shop.host("web2").files.write(APP, wanted("web2", 4), 0o600, "www:www")
    shop.edit("        mode: 0640\n        owner: api\n", "        mode: 0600\n")
    shown = " ".join(shop.gapless("plan", "deploy", code=0).text.split())
    assert f"{APP} on web1 web3: mode 0640 → 0600; owner api → root" in shown
    drifted = "changed on the host since gapless wrote it; owner www → root"
    assert f"{APP} on web2: {drifted}" in shown
    before, restarts = contents(shop), shop.changed()
    ended = shop.gapless("deploy", "--yes", code=0)
    assert "Deployed api: 3 instances" in ended.text
    assert contents(shop) == before
    for host in HOSTS:
        node = shop.host(host).files.node(APP)
        assert node is not None
        assert (node.mode, node.owner) == (0o600, "root:root")
    assert shop.changed() == [*restarts, *(f"{host} restart" for host in HOSTS)]
    assert "Nothing to do" in shop.gapless("deploy", "--yes", code=0).text


def test_rollback_puts_the_files_back_byte_for_byte(configured: Shop) -> None:
    shop, before = configured, files(configured)
    shop.gapless("deploy", "--yes", code=0)
    assert files(shop) != before
    shown = shop.gapless("plan", "rollback", code=0)
    assert f"{shop.live()[0]} with the files from before" in shown.text
    shop.gapless("rollback", "api", "--yes", code=0)
    assert files(shop) == before, "content, mode, owner, and what was not there is not there"
    shop.all_serve(shop.live()[0])
    shop.world.check()


def test_that_only_configuration_moved_is_told(configured: Shop) -> None:
    """The release is the same before and after: the last screen names the files."""
    shop = configured
    shop.gapless("deploy", "--yes", code=0)
    variable(shop, 4, 8)
    there = shop.gapless("plan", "deploy", "--diff", code=0)
    assert "-workers = 4" in there.out
    assert "+workers = 8" in there.out
    ended = shop.gapless("deploy", "--yes", code=0)
    assert f"config api web[1:3]: {APP} changed" in ended.text
    back = shop.gapless("plan", "rollback", "api", "--diff", code=0).out
    assert f"{APP} on web1: +1 -1" in back
    assert back.index("-workers = 8") < back.index("+workers = 4")
    ended = shop.gapless("rollback", "api", "--yes", code=0)
    assert f"config api web[1:3]: {APP} as before" in ended.text
    assert contents(shop) == [wanted(host, 4) for host in HOSTS]


def test_template_with_an_undefined_variable(configured: Shop) -> None:
    shop, before = configured, files(configured)
    template = shop.folder / "app.conf.j2"
    template.write_text("host = {{ host }}\nworkers = {{ wokers }}\n")
    calls = len(shop.world.calls)
    for words in (("check",), ("deploy", "--yes")):
        ended = shop.gapless(*words, code=2)
        assert f"{template}:2:1: 'wokers' is undefined (on web1 and 2 more)" in ended.text
        assert "did you mean 'workers'?" in ended.text
    assert len(shop.world.calls) == calls, "no host was spoken to"
    assert files(shop) == before
    assert shop.changed() == []


def test_template_that_is_undefined_since_the_plan(configured: Shop) -> None:
    shop, before = configured, files(configured)
    plan = str(shop.folder / "plan.json")
    shop.gapless("plan", "deploy", "-o", plan, code=0)
    (shop.folder / "app.conf.j2").write_text("workers = {{ workers + 1 }}\n")
    ended = shop.gapless("deploy", plan, "--yes", code=3)
    assert "GL-203" in ended.text
    assert "the configuration is not what was planned" in ended.text
    assert files(shop) == before
    assert shop.changed() == []


def test_secret_that_cannot_be_read(configured: Shop) -> None:
    shop = configured
    shop.patch.delenv("SHOP_DB")
    ended = shop.gapless("deploy", "--yes", code=2)
    assert "env:SHOP_DB cannot be read" in ended.text
    assert contents(shop) == [OLD] * 3


def test_validator_refuses_on_one_host(configured: Shop) -> None:
    shop, before = configured, files(configured)
    release = shop.live()[0]
    validator(shop, refuse_web3)
    ended = shop.gapless("deploy", "--yes", code=4)
    assert f"{APP} was refused: check-conf" in ended.text
    assert "app.conf:3: bad password '***'" in ended.text
    assert files(shop) == before
    assert "web3 restart" not in shop.changed(), "refused before anything was taken out of traffic"
    assert shop.world.deeds("drain", host="web3") == []
    shop.all_serve(release)
    assert SECRET not in told(shop)
    shop.world.check()


@pytest.mark.parametrize("host", HOSTS)
def test_instance_that_fails_after_the_switch(configured: Shop, host: str) -> None:
    shop, before = configured, files(configured)
    release = shop.live()[0]
    shop.unit(host).next_starts.append(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    touched = HOSTS[: HOSTS.index(host) + 1]
    assert {deed.host for deed in shop.world.deeds("restart", "start")} == set(touched)
    assert files(shop) == before, "on all hosts that had it, at absolute paths"
    shop.all_serve(release)
    shop.world.check()


def test_the_tuple_goes_back_as_one(configured: Shop) -> None:
    shop, old = configured, configured.live()[0]
    shop.gapless("deploy", "--yes", code=0)
    before = files(shop)
    variable(shop, 4, 9)
    shop.bad_release(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    assert files(shop) == before
    shop.all_serve(old)


def test_drift_is_told_and_a_plan_is_stale(configured: Shop) -> None:
    shop = configured
    shop.gapless("deploy", "--yes", code=0)
    plan = str(shop.folder / "plan.json")
    variable(shop, 4, 5)
    shop.gapless("plan", "deploy", "-o", plan, code=0)
    by_hand = wanted("web2", 77)
    shop.host("web2").files.write(APP, by_hand, 0o640, "api")
    ended = shop.gapless("deploy", plan, "--yes", code=3)
    assert "api@web2: its configuration files changed" in ended.text
    shown = shop.gapless("plan", "deploy", code=0)
    assert "changed on the host since gapless wrote it" in shown.text
    assert "workers = 77" not in shown.text, "a line that nobody knows may be a secret"
    assert "-workers = 4" in shown.text
    assert "+workers = 5" in shown.text
    variable(shop, 5, 4)
    drift = shop.gapless("plan", "deploy", code=0)
    assert "1 instance on 1 host" in drift.text
    shop.gapless("deploy", "--yes", code=0)
    assert contents(shop) == [wanted(host, 4) for host in HOSTS]


def test_secrets_are_nowhere_but_in_the_file(configured: Shop) -> None:
    shop = configured
    shop.gapless("deploy", "--yes", code=0)
    new = "c0rrect-h0rse"
    shop.patch.setenv("SHOP_DB", new)
    shown = shop.gapless("plan", "deploy", "--diff", "-v", code=0)
    data = shop.gapless("plan", "deploy", "--json", code=0)
    ended = shop.gapless("deploy", "--yes", code=0)
    shop.gapless("rollback", "api", "--yes", code=0)
    assert json.loads(data.out)["services"][0]["config_changes"]
    for text in (shown.text, data.text, ended.text, told(shop)):
        assert SECRET not in text
        assert new not in text
    for host in HOSTS:
        assert new not in str(shop.host(host).memory)
    argv = [about for _, _, verb, about in shop.world.calls if verb in ("run", "act")]
    assert not any(SECRET in about or new in about for about in argv)


def test_symbolic_link_is_replaced_and_put_back(configured: Shop) -> None:
    shop = configured
    web1 = shop.host("web1").files
    web1.write("/etc/api/real.conf", b"real\n")
    web1.remove(APP)
    web1.link("real.conf", APP)
    before = files(shop)
    shown = shop.gapless("plan", "deploy", code=0)
    assert "replaces a symbolic link to real.conf; undo puts it back" in shown.text
    shop.gapless("deploy", "--yes", code=0)
    node = web1.node(APP, follow=False)
    assert node is not None
    assert node.kind == "file"
    assert web1.read("/etc/api/real.conf") == b"real\n"
    shop.gapless("rollback", "api", "--yes", code=0)
    assert files(shop) == before


def test_reload_takes_in_new_files(configured: Shop) -> None:
    shop = configured
    shop.edit("    systemd: api.service", "    systemd: {unit: api.service, reload: try}")
    for host in HOSTS:
        shop.unit(host).can_reload = True
    shop.gapless("deploy", "--yes", code=0)
    assert shop.changed() == [f"{host} reload" for host in HOSTS], "the release is the same"
    variable(shop, 4, 5)
    shop.release("2")
    shop.gapless("deploy", "--yes", code=0)
    assert shop.changed()[3:] == [f"{host} restart" for host in HOSTS], "new code needs a restart"


RECORDS = 75
"""More than there are in a deploy to two hosts; the last test says when that is wrong."""


@pytest.mark.parametrize("number", range(1, RECORDS + 1))
def test_controller_killed_at_each_journal_record(configured: Shop, number: int) -> None:
    """Resumed or aborted, with the record committed or lost: new code and new files everywhere, or
    old code and old files."""
    shop, before, old = configured, files(configured), configured.live()[0]
    new = shop.release("2")
    kill_at_write(shop, number, committed=number % 4 < 2)
    if not until_killed(shop, "deploy", "--yes", "--hosts", "web1,web2"):
        assert shop.live() == [new, new, old], "it ended before"
        return
    again(shop)
    shop.rest()
    rollouts = shop.journal().rollouts(1, unfinished=True)
    if not rollouts:  # killed before it was known, or after it ended
        assert shop.live() in ([old] * 3, [new, new, old])
        return
    verb = "resume" if number % 2 else "abort"
    shop.gapless(verb, rollouts[0].id, code=0 if verb == "resume" else 4)
    shop.rest()
    goal = new if verb == "resume" else old
    for host, release in zip(HOSTS, shop.live(), strict=True):
        touched = host != "web3"
        assert release == (goal if touched else old)
        assert shop.unit(host).version == release
        if goal == old or not touched:
            assert files(shop)[host] == before[host]
        else:
            assert shop.host(host).files.read(APP) == wanted(host, 4)
    assert shop.serving() == list(HOSTS)
    assert shop.journal().locks() == []
    shop.world.check()


def test_number_of_journal_records(configured: Shop) -> None:
    configured.release("2")
    writes = kill_at_write(configured, 0, committed=True)
    configured.gapless("deploy", "--yes", "--hosts", "web1,web2", code=0)
    assert writes[0] <= RECORDS, "raise it, or there are records at which nobody was killed"


def test_template_that_changed_before_a_resume(configured: Shop) -> None:
    shop, before, old = configured, files(configured), configured.live()[0]
    shop.kill_at("web2/api/stage")
    shop.killed("deploy", "--yes")
    again(shop)
    template = shop.folder / "app.conf.j2"
    template.write_text(template.read_text() + "more = 1\n")
    ended = shop.gapless("resume", shop.last().id, code=4)
    assert "the configuration is not what was planned" in ended.text
    assert files(shop) == before, "web1 had it already"
    shop.all_serve(old)


def test_unit_file_alone_goes_back_on_every_host(shop: Shop) -> None:
    """The same release and a new unit file: what has it already gets the old one back."""
    old = shop.live()[0]
    shop.edit("    systemd: api.service", "    systemd: {unit: api.service, file: api.service}")
    unit = "/etc/systemd/system/api.service"
    before = [shop.host(host).files.read(unit) for host in HOSTS]
    (shop.folder / "api.service").write_text("[Service]\nExecStart=/new\n")
    shop.unit("web3").next_starts.append(NEVER_READY)
    shop.gapless("deploy", "--yes", code=4)
    units = [shop.host(host).files.read(unit) for host in HOSTS]
    assert units == before
    assert len(shop.world.deeds("restart", host="web1")) + len(shop.world.deeds("stop")) > 1
    assert shop.live() == [old] * 3


def test_status_and_report_name_the_configuration(configured: Shop) -> None:
    shop = configured
    report = json.loads(shop.gapless("deploy", "--yes", "--json", code=0).out)
    marks = report["services"][0]["configuration"]
    assert set(marks) == set(HOSTS)
    rows = json.loads(shop.gapless("status", "--json", code=0).out)
    assert {row["host"]: row["config"] for row in rows} == marks
    assert {row["config_good"] for row in rows} == {""}
    shop.host("web2").files.write(APP, b"by hand\n", 0o640, "api")
    told = shop.gapless("status", code=0).text
    assert "api on web2: configuration is not what was verified last" in told


@pytest.mark.parametrize("when", [When.BEFORE, When.DURING, When.AFTER])
def test_host_that_reboots_in_the_switch(configured: Shop, when: When) -> None:
    """The boot starts the unit anew, with the files from before or half of them."""
    shop, release = configured, configured.live()[0]
    shop.world.faults.add(Fault(What.REBOOT, when, verb="act", host="web2", about="restart"))
    shop.gapless("deploy", "--yes", code=0)
    assert shop.world.deeds("power off", host="web2"), "it never rebooted"
    assert contents(shop) == [wanted(host, 4) for host in HOSTS]
    shop.all_serve(release)
    shop.world.check()


def test_validator_refuses_on_the_third_of_five(configured: Shop) -> None:
    """Two had the new files already and get the old ones back; two are never begun."""
    shop = configured
    shop.edit("hosts: {web1: {}, web2: {}, web3: {}}", "hosts: {'web[1:5]': {}}")
    shop.edit("on: [web1, web2, web3]", "on: [all]")
    five(shop)
    shop.gapless("deploy", "--yes", "--hosts", "web4,web5", code=0)
    every = [*HOSTS, "web4", "web5"]
    before = files(shop, every)
    variable(shop, 4, 6)
    validator(shop, refuse_web3)
    shop.world.history.clear()
    shop.gapless("deploy", "--yes", code=4)
    assert files(shop, every) == before
    assert {deed.host for deed in shop.world.deeds("restart", "stop", "drain")} == {"web1", "web2"}
    assert len(shop.serving()) == 5
    shop.world.check()


def test_way_back_that_fails_names_the_commands_for_the_files(configured: Shop) -> None:
    shop = configured
    shop.unit("web1").next_starts += [NEVER_READY, NEVER_READY]
    ended = shop.gapless("deploy", "--yes", code=5)
    kept = f"{shop.last().id}/config{APP}"
    assert f"cp -aT -- /var/lib/gapless/snapshots/shop/api/{kept} /etc/api/.gapless" in ended.text
    assert f"sudo rm -f -- {EXTRA}" in ended.text
    assert SECRET not in ended.text


def test_a_plan_that_asks_nobody(configured: Shop) -> None:
    shown = configured.gapless("plan", "deploy", "--offline", code=0)
    assert "Made offline: no host was asked" in shown.text
    assert "config" not in shown.out.replace("configuration", "")


def test_host_without_room_for_the_new_file(configured: Shop) -> None:
    shop, before, old = configured, files(configured), configured.live()[0]
    shop.host("web2").files.full = True
    shop.gapless("deploy", "--yes", code=4)
    shop.host("web2").files.full = False
    assert files(shop) == before
    shop.all_serve(old)


@pytest.mark.parametrize("how", ["full", "read_only"])
def test_disk_that_takes_nothing_from_the_switch_on(configured: Shop, how: str) -> None:
    """No file was replaced, so nothing was restarted: the old copy goes on, in traffic."""
    shop, before, old = configured, files(configured), configured.live()[0]
    disk = shop.host("web1").files
    shop.at("switch", lambda: setattr(disk, how, True))
    shop.gapless("deploy", "--yes", code=4)
    assert shop.changed() == []
    setattr(disk, how, False)
    assert {path: n for path, n in files(shop)["web1"].items() if "/.gapless-" not in path} == {
        **before["web1"],
        **{path: n for path, n in files(shop)["web1"].items() if n.kind == "dir"},
    }
    shop.all_serve(old)


def test_switch_that_fails_between_two_files(configured: Shop) -> None:
    """One file is new and the other is not: both are old again, and the service is started anew."""
    shop, before, old = configured, files(configured), configured.live()[0]

    async def move(host: FakeHost, command: Command) -> Answer:
        if command.argv[-1] == EXTRA:
            return failed("mv: something is wrong with this one")
        return await mv(host, command)

    shop.host("web2").programs["mv"] = move
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "something is wrong with this one" in ended.text
    assert files(shop) == before
    shop.all_serve(old)


def test_a_folder_where_a_file_is_to_be_refuses_before_anything_is_changed(
    configured: Shop,
) -> None:
    shop = configured
    shop.host("web2").files.mkdir(EXTRA)
    shown = shop.gapless("plan", "deploy", code=0)
    reason = f"{EXTRA} is neither a file nor a link"
    assert f"refused as things are: web2 ({reason})" in " ".join(shown.text.split())
    before = files(shop)
    ended = shop.gapless("deploy", "--yes", code=3)
    assert reason in ended.text
    assert f"look at {EXTRA} on web2" in ended.text
    assert (shop.changed(), files(shop)) == ([], before)


@pytest.mark.parametrize("how", ["variable", "file"])
def test_a_secret_that_cannot_be_read_is_found_by_doctor(configured: Shop, how: str) -> None:
    shop = configured
    shop.patch.setattr("gapless.doctor.MAX_SKEW", float("inf"))  # the clock of the story
    good = shop.gapless("doctor", code=0)
    assert (SECRET in good.text, "secret" in good.text) == (False, True)
    if how == "variable":
        shop.patch.delenv("SHOP_DB")
        remedy = "set it where gapless runs: SHOP_DB"
    else:
        shop.edit("env:SHOP_DB", "file:/no/such")
        remedy = "look at it where gapless runs: /no/such"
    assert remedy in shop.gapless("plan", "deploy", code=2).text
    assert "cannot be read" in shop.gapless("doctor", code=3).text


def test_a_validator_of_the_release_judges_before_that_release_is_live(configured: Shop) -> None:
    shop, old = configured, configured.live()[0]
    shop.edit("validate: check-conf {file}", 'validate: "{folder}/bin/check-conf {file}"')
    new, ran = shop.release("2"), []

    async def look(host: FakeHost, command: Command) -> Answer:
        there = host.files.node(f"/srv/api/releases/{new}/app")
        ran.append((host.name, command.argv[1], there is not None, shop.live()[0]))
        return failed("no such key") if host.name == "web3" else (0, "", "")

    for host in HOSTS:
        shop.host(host).programs[f"/srv/api/releases/{new}/bin/check-conf"] = look
    shop.world.history.clear()
    ended = shop.gapless("deploy", "--yes", code=4)
    assert "no such key" in ended.text
    assert ran[0] == ("web1", "/etc/api/.gapless-app.conf.new", True, old)
    assert all(there for _, _, there, _ in ran)
    assert "web3 restart" not in shop.changed()
    shop.all_serve(old)


@pytest.mark.parametrize(
    ("validate", "told"),
    [
        ("check {file} {release}", "unknown placeholder {release}"),
        ("check {folder}", "{file} is nowhere in the command"),
    ],
)
def test_a_placeholder_that_a_validator_does_not_have_is_told(
    configured: Shop, validate: str, told: str
) -> None:
    configured.edit("validate: check-conf {file}", f'validate: "{validate}"')
    assert told in configured.gapless("check", code=2).text
