"""`python -m tests.lab`: a lab to play with, which runs until it is told to end."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable

from .availability import lab_unavailable_reason
from .debian import install_missing_packages
from .host import LabHost
from .lab import Lab
from .rootfs import ensure_rootfs
from .shell import LabError
from .slot import Slot, clear_kept, clear_leftovers, find_all, find_kept

FAULTS: dict[str, Callable[[LabHost], None]] = {
    "power-off": LabHost.power_off,
    "power-cut": LabHost.power_cut,
    "boot-again": LabHost.boot_again,
    "reboot": LabHost.reboot,
    "freeze": LabHost.freeze,
    "thaw": LabHost.thaw,
    "cut-network": LabHost.cut_network,
    "heal-network": LabHost.heal_network,
    "fill-disk": LabHost.fill_disk,
    "empty-disk": LabHost.empty_disk,
}


def main(arguments: list[str] | None = None) -> int:
    """Do what the command line says; 0 if it worked."""
    words, command = _split(sys.argv[1:] if arguments is None else arguments)
    chosen = _parser().parse_args(words)
    chosen.command = command
    try:
        if chosen.act is not status and (reason := lab_unavailable_reason()):
            raise LabError(f"no lab can run here: {reason}")
        chosen.act(chosen)
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    return 0


def setup(_: argparse.Namespace) -> None:
    """Install what is missing and build the root file system, so that `up` is quick."""
    install_missing_packages()
    print(ensure_rootfs())


def up(chosen: argparse.Namespace) -> None:
    """Boot a lab and leave it running."""
    kept = find_kept()
    if kept:
        raise LabError(f"a lab is up already (number {kept[0].number}); `down` ends it")
    lab = Lab(chosen.count)
    lab.up()
    lab.keep()
    _print_hosts(lab)


def down(_: argparse.Namespace) -> None:
    """End the lab that is up, and clear away what killed runs left."""
    clear_leftovers()
    for number in clear_kept():
        print(f"lab {number} is down")


def status(_: argparse.Namespace) -> None:
    """List the labs of this machine and the hosts of the one that is up."""
    for slot in find_all():
        print(f"lab {slot.number}: {_describe(slot)}")
    if find_kept():
        _print_hosts(Lab.attach())


def shell(chosen: argparse.Namespace) -> None:
    """Log in to a host, or run there what stands behind `--`; never returns."""
    ssh = _host(chosen.host).ssh_argv(user=chosen.user)[:-1]
    sys.stdout.flush()
    os.execvp(ssh[0], [*ssh, *chosen.command])


def fault(chosen: argparse.Namespace) -> None:
    """Do one of the faults, or its cure, to a host."""
    FAULTS[chosen.fault](_host(chosen.host))


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """The words before and behind the first `--`, which argparse would not keep apart."""
    end = words.index("--") if "--" in words else len(words)
    return words[:end], words[end + 1 :]


def _host(number: int) -> LabHost:
    try:
        return Lab.attach()[number]
    except IndexError as error:
        raise LabError(str(error)) from error


def _describe(slot: Slot) -> str:
    record = slot.record()
    if record is None:
        return "just being made, or left so by a killed run"
    if slot.is_kept():
        return f"up, {record.hosts} hosts"
    return f"{record.hosts} hosts, for process {record.owner}"


def _print_hosts(lab: Lab) -> None:
    for host in lab:
        power = "on" if host.is_running() else "off"
        print(f"{host.name}  {host.address}:{host.port}  {power}")
    print(f"ssh -F {lab.keys.config} h1")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    verbs = parser.add_subparsers(required=True, metavar="VERB")

    def verb(name: str, act: Callable[[argparse.Namespace], None]) -> argparse.ArgumentParser:
        words = verbs.add_parser(name, help=act.__doc__, description=act.__doc__)
        words.set_defaults(act=act)
        return words

    verb("setup", setup)
    verb("up", up).add_argument("count", type=int, nargs="?", default=3, help="hosts (3)")
    verb("down", down)
    verb("status", status)
    login = verb("shell", shell)
    login.add_argument("host", type=int, help="its number")
    login.add_argument("--user", default="root", help="root, deploy or plain (root)")
    harm = verb("fault", fault)
    harm.add_argument("host", type=int, help="its number")
    harm.add_argument("fault", choices=FAULTS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
