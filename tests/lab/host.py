"""One host of the lab: what tests do with it, and what they do to it."""

from __future__ import annotations

import shlex
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .disk import Disk
from .keys import Endpoint, Keys
from .machine import Machine
from .process import ProcessId
from .shell import LabError
from .slot import Slot

# Writes stdin to the file $1 of mode $2 and owner $3, with its folders, in one piece.
_PUT = (
    'mkdir -p "$(dirname "$1")" && cat > "$1.lab-new" && chmod "$2" "$1.lab-new"'
    ' && chown "$3:" "$1.lab-new" && mv -f "$1.lab-new" "$1"'
)


class LabHost:
    """A real systemd with a real sshd, at an address of its own.

    Everything a test asserts goes over plain ssh (`run`); the faults come from outside, as a
    power button or a cable would.
    """

    def __init__(self, slot: Slot, number: int, port: int, keys: Keys, srv_megabytes: int) -> None:
        self.number = number
        self.name = host_name(number)
        self.address = slot.address(number)
        self.port = port
        self.keys = keys
        self.cgroup = slot.host_cgroup(number)
        self._cut = slot.cut(number)
        self._before_reboot: ProcessId | None = None
        self._disk = Disk(slot.folder / self.name, srv_megabytes)
        self._machine = Machine(self.name, self._disk, self.cgroup, slot.launcher_cgroup(number))

    def __repr__(self) -> str:
        return f"<LabHost {self.name} {self.address}:{self.port}>"

    # -- life ---------------------------------------------------------------------------------

    def create(self, rootfs: Path, hosts_file: str) -> None:
        """Make its files, as new: disk, identity, keys. It is not booted yet."""
        self._disk.create(rootfs)
        self._disk.set_identity(self.name, hosts_file)
        self._configure_sshd()

    def destroy(self) -> None:
        """Power cut, and its disk to the scrapyard."""
        self.heal_network()
        self.power_cut()
        self._disk.destroy()

    def boot(self, timeout: float = 60.0) -> None:
        """Power on and wait until it is ready."""
        self._machine.start()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until systemd, asked over ssh, says `running`.

        Raises LabError after `timeout` seconds, or at once if a unit failed, with its status.
        """
        deadline = time.monotonic() + timeout
        self._wait_for_sshd(deadline)
        left = max(deadline - time.monotonic(), 1.0)
        # Fails until the boot has come far enough for systemctl to find its manager.
        asked = self.run(["systemctl", "is-system-running", "--wait"], timeout=left, check=False)
        if asked.stdout.strip() != "running":
            failed = self.run(["systemctl", "--failed", "--no-legend"], check=False).stdout
            raise LabError(f"{self.name} is {asked.stdout.strip()}: {asked.stderr}{failed}")

    def is_running(self) -> bool:
        """Whether it is powered on (which a frozen or cut-off host is)."""
        return self._machine.is_running()

    def init(self) -> ProcessId | None:
        """PID 1 as the machine sees it: another one after each reboot.

        The kernel's boot_id is no use for that: it is the machine's, the same on all hosts.
        """
        return self._machine.init()

    # -- faults -------------------------------------------------------------------------------

    def power_off(self, timeout: float = 60.0) -> None:
        """Shut it down in order and wait until it is off."""
        self._machine.power_off(timeout)

    def power_cut(self) -> None:
        """Pull the plug: everything on it is killed at once. `boot_again` brings it back."""
        self._machine.power_cut()

    def boot_again(self, timeout: float = 60.0) -> None:
        """Power on after `power_off` or `power_cut`, with the files it had."""
        self.boot(timeout)

    def reboot(self, timeout: float = 60.0) -> None:
        """Reboot in order and wait until it is ready again; /tmp and /run are lost, files kept."""
        self.start_reboot()
        self.wait_rebooted(timeout)

    def start_reboot(self) -> None:
        """Ask it to reboot, as an admin would, and return while it still runs."""
        self._before_reboot = self.init()
        self.run(["systemctl", "reboot"], check=False)

    def wait_rebooted(self, timeout: float = 60.0) -> None:
        """Wait until the reboot begun by `start_reboot` is over."""
        deadline = time.monotonic() + timeout
        while self.init() in (None, self._before_reboot):
            if time.monotonic() > deadline:
                raise LabError(f"{self.name} did not reboot within {timeout:g} s")
            time.sleep(0.02)
        self.wait_ready(deadline - time.monotonic())

    def freeze(self) -> None:
        """Stop the whole host where it stands: it accepts connections and never answers."""
        self.cgroup.freeze()

    def thaw(self) -> None:
        """Let a frozen host go on as if nothing had been."""
        self.cgroup.thaw()

    def cut_network(self) -> None:
        """Pull the cable: packets vanish both ways; the host still reaches itself."""
        self._cut.make()

    def heal_network(self) -> None:
        """Plug it in again; what TCP still wants to say gets through by and by."""
        self._cut.heal()

    def fill_disk(self, leave: int = 0) -> None:
        """Fill /srv, a disk of its own, up to the last `leave` bytes: writes end in ENOSPC."""
        self._disk.fill(leave)

    def empty_disk(self) -> None:
        """Undo `fill_disk`."""
        self._disk.empty()

    # -- use ----------------------------------------------------------------------------------

    def ssh_argv(self, *command: str, user: str = "root") -> list[str]:
        """The ssh command that runs `command` (words, each kept whole) on it."""
        return ["ssh", "-F", str(self.keys.config), "-l", user, self.name, "--", *command]

    def run(
        self,
        argv: Sequence[str],
        *,
        user: str = "root",
        stdin: str | bytes = b"",
        timeout: float = 30.0,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run `argv` on it over plain ssh, as root, `deploy` (may sudo) or `plain` (may not).

        Raises LabError if it takes more than `timeout` seconds and, with `check`, if it fails
        (255 is ssh's own failure).
        """
        command = self.ssh_argv(shlex.join(argv), user=user)
        given = stdin.encode() if isinstance(stdin, str) else stdin
        try:
            done = subprocess.run(command, input=given, capture_output=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise LabError(f"{self.name}: {shlex.join(argv)}: no end in {timeout:g} s") from error
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        if check and done.returncode != 0:
            raise LabError(f"{self.name}: {shlex.join(argv)}: exit {done.returncode}: {err or out}")
        return subprocess.CompletedProcess(list(argv), done.returncode, out, err)

    def put_file(
        self, path: str, content: str | bytes, *, mode: str = "644", owner: str = "root"
    ) -> None:
        """Write a file there, with its folders, in one piece."""
        self.run(["sh", "-c", _PUT, "sh", path, mode, owner], stdin=content)

    def install_unit(self, name: str, text: str, *, start: bool = False) -> None:
        """Install a systemd unit as an admin would, and start it if asked; one login for all."""
        script = f"{_PUT} && systemctl daemon-reload"
        if start:
            script += ' && exec systemctl start "$(basename "$1")"'
        argv = ["sh", "-c", script, "sh", f"/etc/systemd/system/{name}", "644", "root"]
        self.run(argv, stdin=text, timeout=120)

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Properties of a unit, as systemd reports them."""
        asked = ["systemctl", "show", unit, f"--property={','.join(properties)}"]
        lines = self.run(asked).stdout.splitlines()
        return dict(line.split("=", 1) for line in lines if "=" in line)

    def journal(self, unit: str | None = None) -> str:
        """The host's journal, or that of a unit: messages only, all boots, oldest first."""
        which = ["--unit", unit] if unit else []
        return self.run(["journalctl", "--no-pager", "--output=cat", *which]).stdout

    def _configure_sshd(self) -> None:
        # Our key lies outside the homes, so that no test can lock us out by replacing one.
        settings = f"""\
Port {self.port}
ListenAddress {self.address}
AuthorizedKeysFile .ssh/authorized_keys /etc/ssh/lab_keys
"""
        self._disk.write("etc/ssh/sshd_config.d/host.conf", settings)
        private = self.keys.host(self.name)
        self._disk.write("etc/ssh/ssh_host_ed25519_key", private.read_text(), 0o600)
        public = private.with_suffix(".pub").read_text()
        self._disk.write("etc/ssh/ssh_host_ed25519_key.pub", public)
        self._disk.write("etc/ssh/lab_keys", self.keys.authorized)

    def _wait_for_sshd(self, deadline: float) -> None:
        while True:
            try:
                with socket.create_connection((self.address, self.port), timeout=1) as connection:
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise LabError(f"{self!r} has no sshd: {self._console()}")
            time.sleep(0.02)

    def _console(self) -> str:
        log = self._disk.console_log
        return log.read_text(errors="replace")[-1000:] if log.exists() else "never started"


def host_name(number: int) -> str:
    """How host `number` is called, by itself and in the ssh config."""
    return f"h{number}"


def endpoint(slot: Slot, number: int, port: int) -> Endpoint:
    """Where the sshd of host `number` will listen."""
    return Endpoint(host_name(number), slot.address(number), port)
