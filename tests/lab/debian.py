"""The machine's own distribution: its release, its mirror, its packages."""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from . import paths
from .locking import locked
from .shell import LabError, sh

# What the lab runs on the machine, and the package that brings it.
TOOLS: Mapping[str, str] = {
    "systemd-nspawn": "systemd-container",
    "debootstrap": "debootstrap",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "iptables": "iptables",
    "ip": "iproute2",
    "rsync": "rsync",
    "haproxy": "haproxy",
}

_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def which(tool: str) -> str | None:
    """Where `tool` is, also looking where daemons live even if PATH does not."""
    return shutil.which(tool, path=os.environ.get("PATH", os.defpath) + ":" + _SBIN)


def missing_packages() -> list[str]:
    """The Debian packages that must be installed before the lab can run."""
    return sorted({package for tool, package in TOOLS.items() if which(tool) is None})


def install_missing_packages() -> None:
    """Install what is missing, with no question asked and no service of ours started.

    Test workers begin together, and apt is for one at a time: the others find it done.
    """
    if not missing_packages():
        return
    with locked(paths.cache() / "apt.lock"):
        _install(missing_packages())


def _install(missing: list[str]) -> None:
    if not missing:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    sh(["apt-get", "update"], timeout=300, env=quiet)
    sh(install, timeout=900, env=quiet)


def codename() -> str:
    """The release the machine runs (and so will the hosts), such as `bookworm`."""
    found = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if not found:
        raise LabError("/etc/os-release names no VERSION_CODENAME: not a Debian or Ubuntu?")
    return found


def mirror(suite: str, apt: Path = Path("/etc/apt")) -> str:
    """The mirror this machine is configured to take `suite` from: a contributor's choice, kept."""
    for uri, suites in _sources(apt):
        if suite in suites and uri.startswith(("http://", "https://", "file:")):
            return uri
    raise LabError(f"no source for {suite} in {apt}/sources.list or {apt}/sources.list.d")


def _sources(apt: Path) -> Iterator[tuple[str, list[str]]]:
    """(URI, suites) of every enabled source, of both formats that apt reads."""
    for file in [apt / "sources.list", *sorted(apt.glob("sources.list.d/*.list"))]:
        if file.is_file():
            yield from _one_line_sources(file.read_text())
    for file in sorted(apt.glob("sources.list.d/*.sources")):
        yield from _deb822_sources(file.read_text())


def _one_line_sources(text: str) -> Iterator[tuple[str, list[str]]]:
    for line in text.splitlines():
        found = re.match(r"\s*deb\s+(?:\[[^]]*\]\s*)?(\S+)\s+(\S+)", line)
        if found:
            yield found[1], [found[2]]


def _deb822_sources(text: str) -> Iterator[tuple[str, list[str]]]:
    for paragraph in re.split(r"\n\s*\n", re.sub(r"(?m)^#.*\n?", "", text)):
        fields = {
            key.lower(): value.split()
            for key, value in re.findall(r"(?m)^([\w-]+):((?:.*)(?:\n[ \t].*)*)", paragraph)
        }
        if "deb" in fields.get("types", []) and fields.get("enabled", ["yes"]) != ["no"]:
            for uri in fields.get("uris", []):
                yield uri, fields.get("suites", [])
