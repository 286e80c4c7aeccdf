"""``gapless run adopt`` on a real systemd (252): the unit's own words keep their meaning, what
cannot be is refused with every reason, and nothing of it is left when it is taken back."""

from __future__ import annotations

import pytest

from tests.lab.load import Load
from tests.rollouts.units.package import COMMAND
from tests.rollouts.units.unit import DROP_IN, START, Unit

BARE = START.removeprefix("/usr/bin/")
SECRET = "canary-77aa"
HARDENED = (
    "User=plain", "NoNewPrivileges=yes", "ProtectSystem=strict", "ProtectHome=yes",
    "PrivateTmp=yes", "PrivateDevices=yes", "ProtectKernelTunables=yes",
    "ProtectKernelModules=yes", "ProtectControlGroups=yes", "ProtectClock=yes",
    "ProtectProc=invisible", "ProcSubset=pid", "RestrictNamespaces=yes", "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes", "LockPersonality=yes", "MemoryDenyWriteExecute=yes",
    "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service", "SystemCallFilter=~@privileged @resources",
    "CapabilityBoundingSet=", "UMask=0077",
)  # fmt: skip


# What the unit says goes on


@pytest.mark.parametrize(
    "lines",
    [
        ("User=plain",),
        ("User=plain", "RuntimeDirectory=web other", "ProtectSystem=strict"),
        ("DynamicUser=yes",),
        ("ProtectSystem=strict", "PrivateTmp=yes", "ProtectHome=yes", "NoNewPrivileges=yes"),
        HARDENED,
    ],
    ids=["user", "folders", "dynamic", "sandbox", "hardened"],
)
def test_a_reload_reaches_the_supervisor_of_any_user(web: Unit, lines: tuple[str, ...]) -> None:
    web.install(*lines)
    before = web.get("/facts")
    web.adopt("--listen", web.address)
    pid = web.pid
    web.publish("2")
    web.systemctl("reload", "web")
    facts = web.get("/facts")
    assert (facts["version"], web.pid) == ("2", pid)
    assert same(facts["environment"]) == same(before["environment"])
    assert facts["uid"] == before["uid"]
    assert "web" in web.gapless("run", "status").stdout
    web.gapless("flip", "web")
    web.systemctl("stop", "web")
    assert web.show("Result") == ["success"]


def same(environment: dict[str, str]) -> dict[str, str]:
    """Without what differs from start to start, or is ours to set."""
    changing = ("GAPLESS_", "LISTEN_", "NOTIFY_SOCKET", "INVOCATION_ID", "JOURNAL_STREAM",
                "SYSTEMD_EXEC_PID")  # fmt: skip
    return {k: v for k, v in environment.items() if not k.startswith(changing)}


def test_user_folder_and_environment_stay_and_no_secret_is_written(web: Unit) -> None:
    web.host.put_file("/etc/web.env", f"TOKEN={SECRET}-file\n", mode="600")
    web.install(
        "User=plain", "WorkingDirectory=/srv/web", "EnvironmentFile=/etc/web.env",
        f"Environment=PASSWORD={SECRET}-unit", "SyslogIdentifier=",
    )  # fmt: skip
    web.host.run(["chmod", "600", "/etc/systemd/system/web.service"])
    before = web.get("/facts")
    printed = web.gapless("run", "adopt", "web", "--listen", web.address)
    web.adopt("--listen", web.address)
    web.systemctl("reload", "web")
    after = web.get("/facts")
    assert after["environment"]["TOKEN"] == f"{SECRET}-file"
    assert same(after["environment"]) == same(before["environment"])
    assert {k: after[k] for k in ("uid", "directory", "argv")} == {
        k: before[k] for k in ("uid", "directory", "argv")
    }
    written = web.host.run(["cat", DROP_IN]).stdout
    assert SECRET not in printed.stdout + printed.stderr + written
    assert web.host.run(["stat", "-c", "%a", DROP_IN]).stdout == "600\n", "as its unit"
    assert web.show("SyslogIdentifier") == ["python3"], "as in the journal before"
    assert "EnvironmentFile= is read" in printed.stderr


def test_words_specifiers_and_variables_reach_the_program_as_before(web: Unit) -> None:
    words = (
        r"""%n %%n "two words" 'it''s' $MANY ${MANY} "$MANY" $$HOME \x41 a\\b "%N \"q\"" """
        "--name $NONE -- --undo"
    )
    web.install(
        'Environment="MANY=one  two" PERCENT=%%',
        start=f"{START} {words} \\\n  # a comment\n  continued",
    )
    before = web.get("/facts")["argv"]
    assert before[1:4] == ["web.service", "%n", "two words"]
    web.adopt("--listen", web.address)
    facts = web.get("/facts")
    assert facts["argv"] == before
    assert facts["environment"]["PERCENT"] == "%"
    web.systemctl("reload", "web")
    assert web.get("/facts")["argv"] == before


def test_an_instance_of_a_template_is_adopted(web: Unit) -> None:
    web.install()
    web.systemctl("stop", "web")
    unit = web.host.run(["cat", "/etc/systemd/system/web.service"]).stdout
    web.host.install_unit("web@.service", unit.replace(START, f":{BARE} %i '$A'"))
    web.gapless("run", "adopt", "web@1", "--listen", web.address, "--write")
    web.systemctl("start", "web@1")
    web.publish("2")
    web.systemctl("reload", "web@1")
    facts = web.get("/facts")
    assert (facts["version"], facts["argv"][1:]) == ("2", ["1", "$A"])
    web.systemctl("stop", "web@1")


def test_a_socket_unit_is_taken_over(web: Unit) -> None:
    web.install()
    web.systemctl("stop", "web")
    text = f"[Socket]\nListenStream={web.address}\n[Install]\nWantedBy=sockets.target\n"
    web.host.install_unit("web.socket", text)
    web.systemctl("start", "web.socket")
    names = web.get("/facts")["environment"]["LISTEN_FDNAMES"]
    with Load(f"http://{web.address}/", rate=50) as load:
        web.adopt()
        for version in ("2", "3"):
            web.publish(version)
            web.systemctl("reload", "web")
            assert web.version() == version
            web.upgrade()
        web.systemctl("restart", "web")
    assert load.report.failed == 0, load.report
    facts = web.get("/facts")
    assert facts["version"] == "3"
    assert facts["environment"]["LISTEN_FDNAMES"] == names
    assert web.show("TriggeredBy", "NFileDescriptorStore") == ["web.socket", "0"]


# Once more, and back


def state(web: Unit) -> str:
    """Files of the unit, and all that systemd knows of it."""
    files = web.host.run(["sh", "-c", "cd /etc/systemd/system; find . -print | sort"]).stdout
    shown = web.systemctl("show", "web").stdout.splitlines()
    changing = ("Exec", "Main", "Memory", "CPU", "IO", "IP", "Tasks", "Status", "Invocation",
                "Watchdog", "Control", "NFile", "UID", "GID", "Control", "StateChange",
                "Active", "Inactive", "Condition", "Assert")  # fmt: skip
    kept = [line.partition("=") for line in shown if not line.startswith(changing)]
    return files + "\n".join(f"{key}={sorted(value.split())}" for key, _, value in kept)


def test_adopting_twice_changes_nothing_and_taking_it_back_leaves_nothing(web: Unit) -> None:
    web.install("ExecReload=/bin/kill -HUP $MAINPID", "RuntimeDirectory=web")
    web.host.run(["ln", "-s", "web.service", "/etc/systemd/system/shop.service"])
    web.systemctl("daemon-reload")
    before = state(web)
    words = ("run", "adopt", "web", "--listen", web.address)
    printed = web.gapless(*words).stdout
    web.gapless(*words, "--write")
    stat = ["stat", "-c", "%i %Y %s", DROP_IN]
    written, file = web.host.run(stat).stdout, web.host.run(["cat", DROP_IN]).stdout
    assert file == printed

    again = web.gapless(*words, "--write")
    assert "adopted already" in again.stdout
    assert web.gapless(*words).stdout == file
    web.gapless("run", "adopt", "shop", *words[3:], "--write")  # the same unit
    assert web.host.run(stat).stdout == written

    other = web.gapless(*words, "--settle", "5s", "--write", check=False)
    assert (other.returncode, "--undo" in other.stderr) == (3, True)
    web.host.put_file("/etc/systemd/system/web.service.d/a.conf", "[Service]\nNice=1\n")
    unread = web.gapless(*words, "--write", check=False)
    assert (unread.returncode, "systemctl daemon-reload" in unread.stderr) == (3, True)
    web.systemctl("daemon-reload")
    changed = web.gapless(*words, "--write", check=False)
    assert (changed.returncode, "have changed" in changed.stderr) == (3, True)
    web.host.run(["rm", "/etc/systemd/system/web.service.d/a.conf"])
    web.systemctl("daemon-reload")
    assert web.host.run(stat).stdout == written

    assert "next" in web.gapless("run", "adopt", "--undo", "shop").stdout
    assert state(web) == before
    assert "Nothing to undo" in web.gapless("run", "adopt", "--undo", "web").stdout
    assert state(web) == before


def test_a_drop_in_of_somebody_else_stays(web: Unit) -> None:
    web.install()
    web.host.put_file(DROP_IN, "[Service]\nNice=1\n")
    web.systemctl("daemon-reload")
    for words in (("--write",), ("--undo",)):
        done = web.gapless("run", "adopt", "web", *words, check=False)
        assert (done.returncode, "not written by gapless" in done.stderr) == (3, True)
    assert web.host.run(["cat", DROP_IN]).stdout == "[Service]\nNice=1\n"


# What cannot be

SLEEP = "ExecStart=/bin/sleep 1000"
REFUSED = {
    "oneshot": ("Type=oneshot", "ExecStart=/bin/true"),
    "forking": ("Type=forking", "ExecStart=/bin/true"),
    "several": ("Type=oneshot", SLEEP, SLEEP),
    "renamed": ("ExecStart=@/bin/sleep other 1000",),
    "privileged": ("ExecStart=+/bin/sleep 1000",),
    "stop": (SLEEP, "ExecStop=/bin/true"),
    "leaving": (SLEEP, "KillMode=process"),
    "rooted": (SLEEP, "RootDirectory=/srv"),
    "families": (SLEEP, "RestrictAddressFamilies=AF_INET"),
    "already": ("ExecStart=/opt/gapless/bin/gapless run -- /bin/sleep 1000",),
    "later": (SLEEP,),
    "broken": ("ExecStart=relative/and-wrong",),
}
REASONS = {
    "oneshot": "Type=oneshot", "forking": "pidwatch",
    "several": "2 commands in ExecStart=", "renamed": "ExecStart=@", "privileged": "ExecStart=+",
    "stop": "ExecStop=", "leaving": "KillMode=process", "rooted": "RootDirectory=",
    "families": "without AF_UNIX", "already": "under gapless already", "masked": "is masked",
    "missing": "has no missing.service", "later": "zzz.conf",
    "broken": "LoadState=bad-setting", "local": "cannot be handed on",
}  # fmt: skip
FOLDER = "/etc/systemd/system"


def test_what_cannot_be_adopted_is_refused_with_every_reason(web: Unit) -> None:
    files = {f"{name}.service": ["[Service]", *lines] for name, lines in REFUSED.items()}
    files["later.service.d/zzz.conf"] = ["[Service]", "Nice=1"]
    files["local.service"] = ["[Service]", SLEEP]
    files["local.socket"] = ["[Socket]", "ListenFIFO=/run/local.fifo"]
    script = [f"cd {FOLDER}", "mkdir later.service.d"]
    for name, text in files.items():
        script += [f"cat > {name} <<'END'", *text, "END"]
    script += ["systemctl mask masked.service", "systemctl daemon-reload"]
    web.host.run(["sh", "-e"], stdin="\n".join([*script, ""]))

    asking = (
        f'for n in {" ".join(REASONS)}; do {COMMAND} run adopt $n --write 2>&1; echo "\n$?"; done'
    )
    told = web.host.run(["sh", "-c", asking], timeout=90).stdout.split("\n3\n")
    assert len(told) == len(REASONS) + 1, "each was refused"
    for (name, reason), answer in zip(REASONS.items(), told, strict=False):
        assert reason in answer, (name, answer)
    several = told[list(REASONS).index("several")]
    assert "Type=oneshot" in several, "every reason"
    assert not web.host.run(["find", FOLDER, "-name", "*zz-gapless*"]).stdout
