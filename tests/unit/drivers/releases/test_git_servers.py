"""Repositories behind servers: over http, that never answer, and as doctor sees them."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from gapless.config.releases import ReleaseConfig
from gapless.drivers.releases import git_commands
from gapless.errors import Refused
from gapless.hostside.files import digest_of
from gapless.model import Verdict
from gapless.release_doctor import examine_fetch
from tests.unit.drivers.releases.site import Site
from tests.unit.drivers.releases.sources import git
from tests.unit.drivers.releases.test_build import running


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def http(folder: Path) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    for name in ("http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    made = Site(tmp_path)
    made.write("app", "1")
    made.commit()
    return made


@pytest.mark.parametrize("fetch", ["controller", "host"])
def test_over_http(site: Site, fetch: str) -> None:
    git(f"--git-dir={site.repository}", "update-server-info")
    with http(site.folder) as address:
        ref = site.deploy(git=f"{address}/shop.git", fetch=fetch)
    assert digest_of(str(site.live())) == ref.digest


def test_a_server_that_never_answers_has_a_limit(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(git_commands, "ASK", 0.7)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/shop.git"
        started = time.monotonic()
        with pytest.raises(Refused, match="git did not end in time") as caught:
            site.resolve(git=url)
        assert time.monotonic() - started < 15
    assert caught.value.next == f"git ls-remote {url}"
    assert running(url) == 0, "nothing of git is left"


def test_in_place_and_fetched_by_the_host_with_a_build(site: Site) -> None:
    site.write("lock", "1")
    site.write("run.sh", "mkdir -p out/deps && cp lock out/deps/lock")
    site.commit()
    build = {"run": "sh run.sh", "key": "lock", "keep": "out/deps"}
    site.deploy(build=build, fetch="host", in_place=True)
    live = site.to("web1")
    assert (live / "app").read_text() == "1"
    assert (live / "out/deps/lock").read_text() == "1"


def fetching(site: Site, **release: object) -> list[Verdict]:
    config = ReleaseConfig.model_validate({"git": str(site.repository), "to": "/srv/x", **release})

    async def ask() -> list[Verdict]:
        host = site.host("web1")
        await host.connect()
        try:
            return [one.verdict for one in await examine_fetch(host, "shop.api", config)]
        finally:
            await host.close()

    return asyncio.run(ask())


def test_doctor_asks_the_repository_from_each_host_that_fetches(site: Site) -> None:
    assert fetching(site) == []
    (good,) = fetching(site, fetch="host")
    assert good.passed
    (bad,) = fetching(site, fetch="host", git=str(site.folder / "nowhere.git"))
    assert not bad.passed
    assert "nowhere.git" in bad.answer
