"""The pages of docs/how-to/profiles hold: what they show is run with the real server."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.ports import free_port
from tests.supervisor import load
from tests.supervisor.pidwatch_rig import missing
from tests.supervisor.profiles import fastcgi, page, releases, servers
from tests.supervisor.profiles.site import Site

PORTS = (8080, 8081, 8082)


@dataclass(frozen=True)
class Profile:
    """A run file of a page, and what is asked of it."""

    page: str
    publish: Callable[..., None]
    run_file: str = "/srv/web/web.yaml"
    needs: tuple[str, ...] = ()
    connect: str = "both"
    """New connections, kept ones, or both; "script" for those of FastCGI."""


PROFILES = {
    "gunicorn": Profile("gunicorn", releases.wsgi),
    "uvicorn": Profile("uvicorn", releases.asgi, "/srv/web/drain.yaml"),
    "uvicorn --fd": Profile("uvicorn", releases.asgi),
    "hypercorn": Profile("hypercorn", releases.asgi, "/srv/web/drain.yaml"),
    "hypercorn fd": Profile("hypercorn", releases.asgi),
    "granian": Profile("granian", releases.asgi, connect="each"),
    "node": Profile("node", releases.node, needs=("node",)),
    "php-fpm": Profile("php-fpm", releases.php, needs=("php-fpm", "cgi-fcgi"), connect="script"),
    "nginx": Profile("nginx", releases.nginx, needs=("nginx",), connect="each"),
    "nginx, kept": Profile("nginx", releases.nginx, needs=("nginx",), connect="keep"),
    "plain": Profile("plain", releases.plain, connect="each"),
}
HASTY = ("uvicorn --fd", "hypercorn fd", "nginx, kept")
"""Their pages say that they close connections on which a request may be on its way."""
LOSSLESS = tuple(name for name in PROFILES if name not in HASTY)
CONNECTIONS = 8


class Deployed:
    """A profile on this machine."""

    def __init__(self, profile: Profile, folder: Path) -> None:
        ports = {str(port): free_port() for port in PORTS}
        run_file = page.laid_out(profile.page, profile.run_file, folder, ports)
        path = servers.provide(profile.needs, folder / "bin")
        self.profile = profile
        self.front = f"127.0.0.1:{ports['8080']}"
        self.site = Site(folder, run_file, {"PATH": path})

    def publish(self, version: str, *, broken: bool = False) -> None:
        """Files of a release; they are what the next copy is. Each is of a second of its own:
        Python keeps what it compiled of a file of the same second and size."""
        folder = self.site.run_file.parent
        self.profile.publish(folder, version, broken=broken)
        second = 1_700_000_000 + sum(map(ord, version))
        for file in folder.rglob("*.py"):
            os.utime(file, (second, second))

    def loading(self) -> AbstractContextManager[load.Running | fastcgi.Running]:
        """Load of the kind that the page makes a promise for."""
        if self.profile.connect == "script":
            script = self.site.run_file.with_name("shop.php")
            socket = f"{self.site.folder}/run/web.sock"
            return fastcgi.loading(socket, rate=150, connections=CONNECTIONS, path=str(script))
        return load.loading(
            self.front, rate=150, connections=CONNECTIONS, connect=self.profile.connect
        )


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that others may look into: started as root, some servers have workers that are not."""
    with tempfile.TemporaryDirectory(prefix="gapless-profile-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def deployed(
    request: pytest.FixtureRequest, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deployed]:
    """Its first version serves."""
    profile = PROFILES[request.param]
    if reason := servers.lacking(profile.needs):
        missing(reason)
    monkeypatch.setenv("GAPLESS_RUN_DIR", f"{folder}/g")
    deployed = Deployed(profile, folder)
    deployed.publish("1")
    try:
        deployed.site.start()
        yield deployed
    finally:
        deployed.site.close()


def test_every_run_file_of_the_pages_is_run() -> None:
    shown = {
        (one.stem, name)
        for one in page.PAGES.glob("*.md")
        for name in page.shown(one.stem)
        if name.endswith(".yaml")
    }
    assert shown == {(profile.page, profile.run_file) for profile in PROFILES.values()}


def flipped(deployed: Deployed, times: int = 5) -> load.Result:
    """What the clients have seen of some flips, from before the first to the end of all copies."""
    site, last = deployed.site, times + 2
    with deployed.loading() as running:
        for version in range(2, last):
            deployed.publish(str(version))
            told = site.flip()
            assert told.returncode == 0, told.stderr + site.output()
        site.drained()
        result = running.end(until=str(last - 1))
    assert result.versions.keys() == {str(version) for version in range(1, last)}, result
    site.end()
    assert site.left() == []
    return result


@pytest.mark.parametrize("deployed", LOSSLESS, indirect=True)
def test_flips_under_load_lose_nothing(deployed: Deployed) -> None:
    result = flipped(deployed)
    assert result.failures == 0, result


@pytest.mark.parametrize("deployed", ["nginx"], indirect=True)
def test_no_worker_of_nginx_waits_where_another_accepted(deployed: Deployed) -> None:
    """It would serve nothing and not hear that it is to end, until the next one connects."""
    pid = deployed.site.status()["active"]["pid"]
    for fd in (3, 4):
        told = Path(f"/proc/{pid}/fdinfo/{fd}").read_text()
        flags = int(told.split("flags:")[1].split()[0], 8)
        assert flags & os.O_NONBLOCK, told


@pytest.mark.parametrize("deployed", HASTY, indirect=True)
def test_what_is_lost_is_what_the_page_says(deployed: Deployed) -> None:
    """Requests on connections that the server closed; none refused, none answered with an error."""
    result = flipped(deployed, times := 5)
    reasons = {name.split()[1] for name in result.failed}
    assert reasons <= {"eof", "reset"}, result
    assert result.failures <= CONNECTIONS * times, result


@pytest.mark.parametrize("deployed", [n for n in PROFILES if n != "nginx, kept"], indirect=True)
def test_a_broken_release_is_told_and_the_old_one_serves(deployed: Deployed) -> None:
    site = deployed.site
    with deployed.loading() as running:
        deployed.publish("2", broken=True)
        refused = site.flip()
        result = running.end()
    assert refused.returncode == 4, refused
    assert releases.FORGOTTEN in refused.stdout + refused.stderr
    assert result.failures == 0, result
    assert result.versions.keys() == {"1"}, result
    deployed.publish("3")
    assert site.flip().returncode == 0, site.output()
