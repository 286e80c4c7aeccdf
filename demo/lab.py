"""`make demo-lab`: boot three hosts, restart a two-tier service under load, then try a bad release.

1. Three systemd hosts, HAProxy in front, a store on one host and an API on all three.
2. ``gapless plan`` and ``gapless restart --prove``: a rolling restart with the measured gap.
3. ``gapless deploy --prove`` of a release that says it is unhealthy: stopped at the canary,
   taken back, exit code 4.
4. ``gapless status``: what runs now.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from demo.shop import API_PORT, build_release, install_tiers, write_config
from tests.lab import Lab, lab_unavailable_reason

HOSTS = 3


def main() -> int:
    """The exit code: 0 when the demo showed what it promises."""
    reason = lab_unavailable_reason()
    if reason is not None:
        print(f"The demo boots systemd hosts, and that is not possible here: {reason}")
        return 1
    with tempfile.TemporaryDirectory(prefix="gapless-demo-") as name, Lab(HOSTS) as lab:
        code = show(Path(name), lab)
    say(f"The {HOSTS} hosts are taken down; the plan's times are guesses until there is a history.")
    return code


def show(folder: Path, lab: Lab) -> int:
    """Run the whole story in ``folder``."""
    hosts = list(lab)
    say(f"{len(hosts)} systemd hosts are up: " + ", ".join(h.address for h in hosts))
    install_tiers(hosts)
    proxy = lab.haproxy({host.name: f"{host.address}:{API_PORT}" for host in hosts})
    proxy.start()
    proxy.wait_up(*(host.name for host in hosts))
    say(f"HAProxy sends {proxy.url} to shop.api on all of them")
    config = write_config(folder, hosts, lab.keys, proxy.socket, proxy.url)
    print(config.read_text())

    build_release(folder / "release", {"VERSION": "1"})
    gapless(folder, "plan")
    restarted = gapless(folder, "restart", "--yes", "--prove", "--reason", "demo")

    say("A release that answers 200 but says it is unhealthy:")
    (folder / "release").rename(folder / "release-1")
    build_release(folder / "release", {"VERSION": "2", "BEHAVIOUR": "unhealthy"})
    refused = gapless(folder, "deploy", "shop.api", "--yes", "--prove", "--reason", "bad")
    gapless(folder, "status")
    return verdict(restarted, refused)


def verdict(restarted: int, refused: int) -> int:
    """The demo fails when the product does not do what it says."""
    if (restarted, refused) == (0, 4):
        say("Restarted without losing a request; the bad release was stopped and taken back.")
        return 0
    say(f"Unexpected exit codes: restart {restarted} (0), bad release {refused} (4)")
    return 1


def gapless(folder: Path, *args: str) -> int:
    """Run the command as a person would, in the folder of its configuration."""
    say("$ gapless " + " ".join(args))
    environment = {**os.environ, "GAPLESS_STATE": str(folder / "state")}
    process = subprocess.run(
        [sys.executable, "-m", "gapless", *args], cwd=folder, env=environment, check=False
    )
    return process.returncode


def say(text: str) -> None:
    """A line that stands out between the output of the commands."""
    print(f"\n── {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
