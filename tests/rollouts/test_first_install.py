"""The first deploy of a unit to a real host that has none, and its undo."""

from __future__ import annotations

from pathlib import Path

from demo.shop import API_PORT
from tests.lab import Lab, LabHost
from tests.lab.shop import shop_unit
from tests.rollouts.site import CONFIG, Site

UNIT = "/etc/systemd/system/shop-api.service"
LINK = "/srv/shop-api/current"


def bare_site(folder: Path, lab: Lab, host: LabHost) -> Site:
    """gapless.yaml, a release and a unit file here; nothing of it on the host."""
    proxy = lab.haproxy({host.name: f"{host.address}:{API_PORT}"})
    proxy.start()
    program, config = "/srv/shop-api/current/shop.py", "/srv/shop-api/current/release.env"
    unit = shop_unit("shop-api", host.address, API_PORT, program=program, config=config)
    (folder / "shop-api.service").write_text(unit)
    machine = (
        f"  {host.name}: {{address: {host.address}, port: {host.port}, user: deploy,"
        f" key: {lab.keys.client}, known_hosts: {lab.keys.known_hosts}, groups: [web]}}"
    )
    text = CONFIG.format(
        machines=machine, soak="1s", socket=proxy.socket, port=API_PORT, rollout="", extra=""
    )
    brought = "systemd: {unit: shop-api, file: shop-api.service}"
    (folder / "gapless.yaml").write_text(text.replace("systemd: shop-api.service", brought))
    return Site(folder, [host], proxy)


def state(host: LabHost) -> tuple[str, str, bool, bool]:
    """What systemd knows, and whether unit file and release link are there."""
    shown = host.show("shop-api", "LoadState", "ActiveState")
    there = [host.run(["ls", "-d", path], check=False).returncode == 0 for path in (UNIT, LINK)]
    return shown["LoadState"], shown["ActiveState"], there[0], there[1]


def test_a_unit_is_installed_and_taken_away_again(tmp_path: Path, lab: Lab, host: LabHost) -> None:
    site = bare_site(tmp_path, lab, host)
    try:
        site.new_release(VERSION="1", BEHAVIOUR="unhealthy")
        assert f"installs shop-api.service (not on {host.name} yet)" in (
            site.run("plan", "deploy", check=0).stdout.replace("\n                      ", " ")
        )
        site.run("restart", "--yes", check=3)
        failed = site.run("deploy", "--yes", check=4)
        assert "removed, as it was not there before" in failed.stdout + failed.stderr
        assert state(host) == ("not-found", "inactive", False, False)

        site.new_release(VERSION="2")
        site.run("deploy", "--yes", check=0)
        assert site.versions() == {host.name: "2"}
        assert host.run(["systemctl", "is-enabled", "shop-api"]).stdout.strip() == "enabled"
        site.proxy.wait_up(host.name)
        assert "Nothing to do" in site.run("deploy", "--yes", check=0).stdout

        site.run("rollback", "api", "--yes", check=0)
        assert state(host) == ("not-found", "inactive", False, False)
        assert host.run(["systemctl", "is-enabled", "shop-api"], check=False).returncode != 0
    finally:
        site.proxy.stop()
