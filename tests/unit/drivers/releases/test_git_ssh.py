"""Git over a real sshd: keys and host keys as told, and nobody is ever asked."""

from __future__ import annotations

import getpass
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gapless.errors import ActionFailed, Refused
from tests.unit.drivers.releases.site import Site
from tests.unit.drivers.transports.sshd import Sshd, needs_sshd

pytestmark = [needs_sshd, pytest.mark.xdist_group("git-ssh")]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("sshd")) as running:
        yield running


@pytest.fixture
def site(tmp_path: Path, server: Sshd) -> Site:
    made = Site(tmp_path)
    made.write("app", "1")
    made.commit()
    made.settings = {"git": address(server, made), "ssh": access(server)}
    return made


def address(server: Sshd, site: Site) -> str:
    return f"ssh://{getpass.getuser()}@127.0.0.1:{server.port}{site.repository}"


def access(server: Sshd) -> dict[str, Any]:
    return {"key": str(server.key), "known_hosts": str(server.known_hosts)}


@pytest.mark.parametrize("fetch", ["controller", "host"])
def test_both_ways_over_ssh(site: Site, fetch: str) -> None:
    site.deploy(fetch=fetch)
    assert (site.live() / "app").read_text() == "1"


def test_a_host_key_that_is_not_known_is_refused_and_nobody_is_asked(
    site: Site, server: Sshd, tmp_path: Path
) -> None:
    (tmp_path / "nobody").write_text("")
    started = time.monotonic()
    with pytest.raises(Refused, match="cannot be read") as caught:
        site.resolve(ssh={**access(server), "known_hosts": str(tmp_path / "nobody")})
    assert "Host key verification failed" in caught.value.evidence
    assert (tmp_path / "nobody").read_text() == ""
    assert time.monotonic() - started < 20


def test_a_key_that_is_not_let_in_is_told(site: Site, server: Sshd) -> None:
    with pytest.raises(Refused, match="cannot be read") as caught:
        site.resolve(ssh={**access(server), "key": str(server.folder / "other_key")})
    assert "Permission denied" in caught.value.evidence


def test_a_server_that_goes_away_in_mid_rollout_changes_nothing_that_is_live(
    tmp_path: Path,
) -> None:
    """The first host has the commit; the second one's fetch fails; the third, which the controller
    sends it to, needs no server."""
    folder = tmp_path / "sshd"
    folder.mkdir()
    with Sshd(folder) as server:
        site = Site(tmp_path)
        site.write("app", "1")
        site.commit()
        site.settings = {"git": address(server, site), "ssh": access(server), "fetch": "host"}
        for host in ("web1", "web2"):
            site.deploy(host)
        site.write("app", "2")
        site.commit()
        new = site.deploy("web1")
    with pytest.raises(ActionFailed, match="git ended with status 128 on the host") as caught:
        site.deploy("web2", name=new.name)
    assert "Connection refused" in caught.value.evidence
    assert (site.live("web1") / "app").read_text() == "2"
    assert (site.live("web2") / "app").read_text() == "1"
    store = site.to("web2") / "releases"
    assert not [path for path in store.iterdir() if path.name.endswith(".incoming")]
    assert site.deploy("web2", name=new.name, fetch="controller").name == new.name
    assert (site.live("web2") / "app").read_text() == "2"
    site.deploy("web1", name=new.name)  # what a host has, it does not ask for again
