"""A shop on lab hosts behind HAProxy, and the gapless command to change it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from demo.shop import API_PORT, build_release, install_api
from gapless.engine.sqlite_journal import SqliteJournal
from tests.lab import Lab, LabHost
from tests.lab.haproxy import HAProxy
from tests.lab.lab import in_parallel

CONFIG = """\
project: site
hosts:
{machines}
defaults:
  soak: {soak}
  health: {{retries: 1, retry_delay: 300ms, interval: 300ms, timeout: 6s}}
balancers:
  edge: {{haproxy: {{socket: {socket}, backend: shop}}}}
services:
  api:
    on: [web]
    systemd: shop-api.service
    health: {{http: "http://{{address}}:{port}/health", expect: {{json: {{status: healthy}}}}}}
    balancer: edge
    release: {{directory: release, to: /srv/shop-api, keep: 2}}
    rollout: {{canary: 1, batch: 1{rollout}}}
{extra}"""


@dataclass
class Site:
    """Everything one test needs; ``folder`` holds gapless.yaml, the release and the journal."""

    folder: Path
    hosts: Sequence[LabHost]
    proxy: HAProxy
    env: Mapping[str, str] = field(default_factory=dict)

    def run(self, *args: str, check: int | None = None, timeout: float = 90) -> Any:
        """Run the command to its end; asserts the exit code when ``check`` is given."""
        done = subprocess.run(
            self._argv(args), cwd=self.folder, env=self._environment(), capture_output=True,
            text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        if check is not None:
            assert done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done

    def start(self, *args: str) -> subprocess.Popen[str]:
        """Start the command and leave it running."""
        return subprocess.Popen(
            self._argv(args), cwd=self.folder, env=self._environment(), text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def _argv(self, args: Sequence[str]) -> list[str]:
        return [sys.executable, "-m", "gapless", *args]

    def _environment(self) -> dict[str, str]:
        state = str(self.folder / "state")
        return {**os.environ, "GAPLESS_STATE": state, "NO_COLOR": "1", **self.env}

    def new_release(self, **settings: str) -> None:
        """Replace the release directory."""
        release = self.folder / "release"
        if release.exists():
            release.rename(self.folder / f"release-{time.monotonic_ns()}")
        build_release(release, settings)

    def events(self) -> list[dict[str, Any]]:
        """Everything in the journal so far."""
        done = self.run("events", "--json")
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    def wait_for_new(
        self, kind: str, *, host: str = "", step: str = "", count: int = 1, seconds: float = 40
    ) -> None:
        """Wait until the newest rollout has so many events; fails with what it has instead.

        Reads the journal itself: a command a look would be too slow to catch a step."""
        deadline = time.monotonic() + seconds
        journal = self._journal(deadline)
        seen: list[str] = []
        while time.monotonic() < deadline:
            under_way = [r.id for r in journal.rollouts(5, unfinished=True)]
            seen = [
                f"{event.type} {event.host} {event.step}"
                for rollout in under_way
                for event in journal.events(rollout)
                if event.type == kind and host in (event.host, "") and step in (event.step, "")
            ]
            if len(seen) >= count:
                journal.close()
                return
            time.sleep(0.005)
        raise AssertionError(f"no {kind} {host} {step} within {seconds} s: {seen}")

    def _journal(self, deadline: float) -> SqliteJournal:
        """The command makes the journal; a test only reads it."""
        folder = self.folder / "state" / "site"
        while not (folder / "journal.db").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        return SqliteJournal(folder)

    def versions(self) -> dict[str, str]:
        """What each host really answers."""
        out = {}
        for host in self.hosts:
            url = f"http://{host.address}:{API_PORT}/health"
            answer = host.run(["curl", "-s", "-m", "2", url], check=False).stdout
            out[host.name] = json.loads(answer).get("version", "?") if answer else "down"
        return out

    def invocations(self) -> dict[str, str]:
        """InvocationID of the API on each host."""
        return {
            host.name: host.show("shop-api", "InvocationID")["InvocationID"] for host in self.hosts
        }

    def started(self, host: LabHost) -> int:
        """How often systemd started the API on a host since it booted."""
        text = host.run(
            ["journalctl", "-u", "shop-api", "-o", "cat", "--no-pager"], check=False
        ).stdout
        return text.count("Started shop-api")


def make_site(
    folder: Path, lab: Lab, hosts: Sequence[LabHost], *, soak: str = "1s", rollout: str = "",
    extra: str = "",
) -> Site:  # fmt: skip
    """Version 1 running everywhere, HAProxy up, gapless.yaml written."""
    in_parallel(install_api, hosts)
    proxy = lab.haproxy({host.name: f"{host.address}:{API_PORT}" for host in hosts})
    proxy.start()
    proxy.wait_up(*(host.name for host in hosts))
    machines = "\n".join(
        f"  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy,"
        f" key: {lab.keys.client}, known_hosts: {lab.keys.known_hosts}, groups: [web],"
        " reconnect: 20s}"
        for host in hosts
    )
    text = CONFIG.format(
        machines=machines, soak=soak, socket=proxy.socket, port=API_PORT,
        rollout=f", {rollout}" if rollout else "", extra=extra,
    )  # fmt: skip
    (folder / "gapless.yaml").write_text(text)
    site = Site(folder, hosts, proxy)
    site.new_release(VERSION="1")
    return site


def kill(process: subprocess.Popen[str]) -> None:
    """kill -9, and wait for it."""
    process.send_signal(signal.SIGKILL)
    process.wait(10)
