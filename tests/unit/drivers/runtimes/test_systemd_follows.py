"""Whether a unit runs from the release: links and files are real, in a folder of the test."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

import pytest

from gapless.config.releases import ReleaseConfig
from gapless.config.services import SystemdConfig
from gapless.drivers.runtimes.systemd_follows import CHECK, UNSURE, follows
from gapless.drivers.transports.base import Transport
from gapless.model import Command, Completed, Verdict, VerdictStatus


class _Host:
    """Runs what it is asked on this machine; ``environment`` is that of the unit."""

    def __init__(self, environment: str = "") -> None:
        self.environment = environment
        self.ran: list[str] = []

    async def run(self, command: Command) -> Completed:
        self.ran.append(command.argv[0])
        done = subprocess.run(command.argv, capture_output=True, text=True, check=False)
        return Completed(command.argv, done.returncode, done.stdout, done.stderr, 0.0)

    async def unit(self, name: str, properties: Sequence[str]) -> Mapping[str, str]:
        return {"Environment": self.environment}


def started(argv: str, folder: str = "", pid: str = "0") -> dict[str, str]:
    """Properties as systemctl shows them."""
    program = argv.split()[0]
    executed = f"{{ path={program} ; argv[]={argv} ; ignore_errors=no ; start_time=[n/a] ; pid=0 }}"
    return {"ExecStart": executed, "WorkingDirectory": folder, "MainPID": pid}


def asked(
    top: Path | str, shown: Mapping[str, str], host: _Host | None = None, **settings: object
) -> Verdict:
    release = ReleaseConfig.model_validate({"directory": ".", "to": str(top), **settings})
    config = SystemdConfig(unit="legacy.service")
    return asyncio.run(follows(cast(Transport, host or _Host()), config, release, shown))


def refused(verdict: Verdict) -> bool:
    assert verdict.check == CHECK
    return verdict.status is VerdictStatus.FAIL


def unsure(verdict: Verdict) -> bool:
    return verdict.passed and verdict.answer.startswith(UNSURE)


@pytest.mark.parametrize(
    "shown",
    [
        started("/usr/bin/node server.js", "/srv/shop/current"),
        started("/usr/bin/node server.js", "!/srv/shop/current"),
        started("/srv/shop/current/bin/serve --port 80"),
        started("/usr/bin/python3 /srv/shop/current/srv.py", "/srv/shop"),
        started("/usr/bin/java -Dhome=/srv/shop/current -jar x.jar"),
        started("/bin/sh -c cd /srv/shop/current && exec ./serve"),
    ],
)
def test_a_unit_that_names_the_live_release_follows_it_and_nobody_is_asked(
    shown: dict[str, str],
) -> None:
    host = _Host()
    verdict = asked("/srv/shop", shown, host)
    assert verdict.passed
    assert not unsure(verdict)
    assert not host.ran


def test_a_unit_that_runs_the_old_path_is_refused_with_the_remedy(tmp_path: Path) -> None:
    old = tmp_path / "srv.py"
    old.touch()
    verdict = asked(tmp_path, started(f"/usr/bin/python3 {old}"))
    assert refused(verdict)
    assert f"runs {old}, not {tmp_path}/current" in verdict.answer
    assert f"WorkingDirectory={tmp_path}/current" in verdict.wanted


def test_a_name_that_only_begins_like_the_link_is_another_one(tmp_path: Path) -> None:
    assert refused(asked(tmp_path, started(f"{tmp_path}/current-old/serve")))


def test_a_relative_word_is_a_file_where_it_works(tmp_path: Path) -> None:
    shown = started("/usr/bin/python3 srv.py", str(tmp_path))
    assert unsure(asked(tmp_path, shown))
    (tmp_path / "srv.py").touch()
    assert refused(asked(tmp_path, shown))


def test_a_release_by_its_own_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "releases/r1").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/r1")
    assert refused(asked(tmp_path, started(f"{tmp_path}/releases/r1/serve")))


def test_a_link_that_leads_into_the_live_release_is_followed(tmp_path: Path) -> None:
    (tmp_path / "releases/r1").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/r1")
    (tmp_path / "srv.py").symlink_to("current/srv.py")
    verdict = asked(tmp_path, started(f"/usr/bin/python3 {tmp_path}/srv.py"))
    assert verdict.passed
    assert not unsure(verdict)


def test_what_a_wrapper_does_is_seen_in_the_process_else_unknown(tmp_path: Path) -> None:
    (tmp_path / "releases/r1").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/r1")
    assert unsure(asked(tmp_path, started("/usr/bin/shop-wrapper")))
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path / "current") as process:
        try:
            verdict = asked(tmp_path, started("/usr/bin/shop-wrapper", pid=str(process.pid)))
        finally:
            process.kill()
    assert verdict.passed
    assert not unsure(verdict)


def test_a_variable_may_lead_there() -> None:
    host = _Host("TOKEN=hunter2 HOME_OF_IT=/srv/shop/current")
    verdict = asked("/srv/shop", started("/usr/bin/shop-wrapper"), host)
    assert verdict.passed
    assert not unsure(verdict)
    assert "hunter2" not in str(verdict)


def test_in_place_the_folder_itself_is_meant_and_nothing_is_refused() -> None:
    assert not unsure(asked("/srv/shop", started("/srv/shop/serve"), in_place=True))
    assert unsure(asked("/srv/shop", started("/opt/shop/serve"), in_place=True))


@pytest.mark.parametrize(("line", "stays"), [("{top}/serve", True), ("{top}/current/serve", False)])
def test_the_file_a_deploy_brings_counts_and_not_the_one_before(
    tmp_path: Path, line: str, stays: bool
) -> None:
    top = tmp_path / "srv"
    file = tmp_path / "legacy.service"
    file.write_text(f"[Service]\n# {top}/current\nExecStart={line.format(top=top)}\n")
    release = ReleaseConfig.model_validate({"directory": ".", "to": str(top)})
    config = SystemdConfig(unit="legacy.service", file=str(file))
    shown = started(f"{top}/{'current/' if stays else ''}serve")
    verdict = asyncio.run(follows(cast(Transport, _Host()), config, release, shown))
    assert refused(verdict) is stays
    dropped = {**shown, "DropInPaths": "/etc/systemd/system/legacy.service.d/x.conf"}
    assert not refused(asyncio.run(follows(cast(Transport, _Host()), config, release, dropped)))
