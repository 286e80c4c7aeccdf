"""The lab's hosts really are separate machines, and its faults really are faults."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from .availability import lab_is_required, lab_unavailable_reason
from .host import LabHost
from .lab import Lab, in_parallel
from .process import ProcessId
from .shell import LabError, sh
from .slot import Slot

SLEEPER = "[Service]\nExecStart=/bin/sleep infinity\n"


def answers(host: LabHost) -> bool:
    """Whether a short command comes back within 2 s."""
    try:
        return host.run(["true"], timeout=2, check=False).returncode == 0
    except LabError:
        return False


def test_each_host_has_a_machine_id_and_a_name_of_its_own(hosts: list[LabHost]) -> None:
    ids = {host.run(["cat", "/etc/machine-id"]).stdout for host in hosts}
    names = [host.run(["hostname"]).stdout.strip() for host in hosts]
    assert len(ids) == len(hosts)
    assert names == ["h1", "h2", "h3", "h4", "h5"]


def test_each_host_runs_in_a_cgroup_of_its_own(hosts: list[LabHost]) -> None:
    pids = [set(host.cgroup.pids()) for host in hosts]
    assert all(pids)
    assert not pids[0] & pids[1]


def test_stopping_a_unit_does_not_touch_or_wait_for_its_namesake(pair: list[LabHost]) -> None:
    one, other = pair
    in_parallel(lambda host: host.install_unit("sleeper.service", SLEEPER, start=True), pair)
    one.run(["systemctl", "stop", "sleeper"], timeout=5)
    assert other.show("sleeper", "ActiveState") == {"ActiveState": "active"}


def test_a_restart_changes_the_invocation_id(host: LabHost) -> None:
    host.install_unit("sleeper.service", SLEEPER, start=True)
    before = host.show("sleeper", "InvocationID", "MainPID")
    host.run(["systemctl", "restart", "sleeper"])
    after = host.show("sleeper", "InvocationID", "MainPID")
    assert before["InvocationID"] != after["InvocationID"]
    assert before["MainPID"] != after["MainPID"]


def test_a_reboot_keeps_files_and_journal_but_not_processes(host: LabHost) -> None:
    host.put_file("/srv/kept", "yes")
    host.put_file("/etc/kept", "yes")
    host.put_file("/run/lost", "yes")
    host.install_unit("sleeper.service", SLEEPER, start=True)
    init = host.init()
    host.reboot()
    assert host.init() != init
    assert host.run(["cat", "/srv/kept", "/etc/kept"]).stdout == "yesyes"
    assert host.run(["test", "-e", "/run/lost"], check=False).returncode == 1
    assert host.show("sleeper", "ActiveState") == {"ActiveState": "inactive"}
    assert "Started sleeper.service" in host.journal("sleeper")


def test_a_power_cut_is_at_once_and_keeps_files(host: LabHost) -> None:
    host.put_file("/srv/kept", "yes")
    host.power_cut()
    assert not host.is_running()
    assert host.run(["true"], check=False).returncode == 255
    host.boot_again()
    assert host.run(["cat", "/srv/kept"]).stdout == "yes"


def test_a_powered_off_host_stops_its_units_in_order(host: LabHost) -> None:
    unit = "[Service]\nExecStart=/bin/sleep infinity\nExecStop=/bin/touch /srv/stopped\n"
    host.install_unit("orderly.service", unit, start=True)
    host.power_off()
    assert not host.is_running()
    host.boot_again()
    assert host.run(["test", "-e", "/srv/stopped"]).returncode == 0


def test_a_frozen_host_answers_nothing_until_thawed(pair: list[LabHost]) -> None:
    frozen, other = pair
    frozen.freeze()
    assert not answers(frozen)
    assert answers(other)
    frozen.thaw()
    assert answers(frozen)


def test_a_cut_off_host_hears_nothing_and_says_nothing_but_reaches_itself(
    pair: list[LabHost],
) -> None:
    cut, other = pair
    script = f"""\
curl --silent --max-time 2 telnet://{cut.address}:22 </dev/null | head -c 3 >/srv/self
curl --silent --max-time 2 telnet://{other.address}:22 </dev/null | head -c 3 >/srv/other
touch /srv/done
"""
    cut.put_file("/srv/look", script)
    cut.run(
        ["systemd-run", "--on-active=1s", "--timer-property=AccuracySec=1ms", "sh", "/srv/look"]
    )
    cut.cut_network()
    assert not answers(cut)
    assert answers(other)
    time.sleep(5)
    cut.heal_network()
    assert cut.run(["cat", "/srv/self"]).stdout == "SSH"
    assert cut.run(["cat", "/srv/other"]).stdout == ""
    assert cut.run(["test", "-e", "/srv/done"]).returncode == 0


def test_a_full_disk_is_really_full(host: LabHost) -> None:
    host.fill_disk()
    write = ["dd", "if=/dev/zero", "of=/srv/file", "bs=4096", "count=1"]
    refused = host.run(write, check=False)
    assert "No space left on device" in refused.stderr
    host.empty_disk()
    host.run(write)


@pytest.mark.parametrize(("user", "may"), [("root", True), ("deploy", True), ("plain", False)])
def test_who_may_sudo(lab: Lab, user: str, may: bool) -> None:
    done = lab[2].run(["sudo", "-n", "true"], user=user, check=False)
    assert (done.returncode == 0) is may


def test_a_host_with_the_wrong_key_is_refused(lab: Lab) -> None:
    known = lab.keys.known_hosts.read_text().splitlines()
    swapped = lab.folder / "swapped"
    swapped.write_text(f"{lab[3].address} {known[1].split(' ', 1)[1]}\n")
    options = ["-o", f"UserKnownHostsFile={swapped}", "-o", f"HostName={lab[3].address}"]
    ssh = ["ssh", "-F", str(lab.keys.config), *options, lab[3].address, "true"]
    refused = subprocess.run(ssh, capture_output=True, text=True, timeout=20)
    assert refused.returncode == 255
    assert "verification failed" in refused.stderr


def test_renewed_hosts_have_nothing_of_the_past(lab: Lab) -> None:
    lab[4].put_file("/etc/past", "x")
    lab[4].install_unit("past.service", SLEEPER, start=True)
    lab[4].freeze()
    lab.renew([lab[4]])
    assert lab[4].run(["test", "-e", "/etc/past"], check=False).returncode == 1
    assert lab[4].show("past", "LoadState") == {"LoadState": "not-found"}


KILLED = """
import os, signal
from tests.lab import Lab

lab = Lab(1)
lab.up()
lab[1].freeze()
lab[1].cut_network()
print(lab.number, *lab[1].cgroup.pids(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.timeout(300)
def test_what_a_killed_run_left_is_cleared_by_the_next() -> None:
    reason = lab_unavailable_reason()
    if reason and not lab_is_required():
        pytest.skip(f"no lab: {reason}")
    repository = Path(__file__).parents[2]
    # The first lab on a machine makes the root of its hosts, which takes a minute or more.
    killed = subprocess.run(
        [sys.executable, "-c", KILLED], cwd=repository, capture_output=True, text=True, timeout=240
    )
    number, *pids = map(int, killed.stdout.split())
    assert pids, killed.stderr
    assert all(ProcessId.of(pid) for pid in pids)
    with Lab(1):
        assert not any(ProcessId.of(pid) for pid in pids)
    assert not Slot(number).folder.exists()
    assert not Slot(number).cgroup.exists()
    assert f"gapless-lab-{number}-" not in sh(["iptables", "-S"])
    assert f"/gapless-lab/{number}/" not in Path("/proc/self/mountinfo").read_text()
