"""The programs of a fake host: what each command line does to its files and units.

Exactly the forms that drivers emit are understood; anything else is "command not found", so that
a driver cannot begin to use a program without the fake (and its reader) knowing.
"""

from __future__ import annotations

import posixpath
from collections.abc import Awaitable, Callable, Mapping
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from gapless.model import Command
from gapless.testing.fake_files import Node

if TYPE_CHECKING:
    from gapless.testing.fake_host import FakeHost

Answer = tuple[int, str, str]
"""Exit status, standard output, standard error."""
Program = Callable[["FakeHost", Command], Awaitable[Answer]]

OK: Answer = (0, "", "")


def failed(text: str, status: int = 1) -> Answer:
    """The program ended with an error message."""
    return status, "", f"{text}\n"


async def execute(host: FakeHost, command: Command) -> Answer:
    """Run a command line as the host would; OSErrors become the program's own complaint."""
    program = host.programs.get(command.argv[0]) or PROGRAMS.get(
        posixpath.basename(command.argv[0])
    )
    if program is None:
        return failed(f"{command.argv[0]}: command not found", 127)
    try:
        return await program(host, command)
    except OSError as error:
        return failed(f"{command.argv[0]}: {error.filename}: {error.strerror}")


def words(command: Command, valued: str = "") -> tuple[set[str], dict[str, str], list[str]]:
    """Flags, options with a value (single letters of ``valued``) and the rest of a command line."""
    flags: set[str] = set()
    values: dict[str, str] = {}
    rest: list[str] = []
    arguments = list(command.argv[1:])
    while arguments:
        word = arguments.pop(0)
        if word == "--":
            return flags, values, rest + arguments
        if word.startswith("--"):
            name, given, value = word.partition("=")
            values.update({name: value} if given else {})
            flags.update(() if given else (name,))
        elif word.startswith("-") and len(word) > 1:
            letters = word[1:]
            flags.update(letters)
            if letters[-1] in valued:
                values[letters[-1]] = arguments.pop(0)
        else:
            rest.append(word)
    return flags, values, rest


async def systemctl(host: FakeHost, command: Command) -> Answer:
    """start, stop, restart, reload, reset-failed, enable, disable, daemon-reload, is-active, and
    show (the state only)."""
    _, _, (verb, *names) = words(command)
    if verb == "daemon-reload":
        for known in host.units.values():
            known.load()
        return OK
    if verb == "is-system-running":
        return 0, "running\n", ""
    unit = host.units.get(names[0])
    if verb == "show":
        return 0, f"ActiveState={unit.active if unit else 'inactive'}\n", ""
    if unit is None or unit.properties()["LoadState"] != "loaded":
        return failed(f"Failed to {verb} {names[0]}: Unit {names[0]} not found.", 5)
    if verb == "reset-failed":
        unit.reset_failed()
        return OK
    if verb in ("enable", "disable"):
        unit.enabled = verb == "enable"
        return OK
    if verb == "is-active":
        return (0 if unit.active == "active" else 3), f"{unit.active}\n", ""
    if verb not in ("start", "stop", "restart", "reload"):
        return failed(f"Unknown command verb {verb}.")
    complaint = await host.job(getattr(unit, verb)())
    return failed(complaint) if complaint else OK


async def install(host: FakeHost, command: Command) -> Answer:
    """``install -D -m MODE [-o -g] SOURCE TARGET`` and ``install -d -m MODE FOLDER``."""
    flags, values, rest = words(command, "mog")
    mode = int(values.get("m", "755"), 8)
    if "d" in flags:
        for folder in rest:
            host.files.mkdir(folder, mode)
        return OK
    source, target = rest
    host.files.remove(target)
    host.files.write(target, host.files.read(source), mode)
    return OK


async def cp(host: FakeHost, command: Command) -> Answer:
    """``cp -a SOURCE... TARGET`` (into a folder that exists), ``cp -aT SOURCE TARGET``, and
    ``cp -L -p --parents -t FOLDER SOURCE...``."""
    flags, values, rest = words(command, "t")
    if "--parents" in flags:
        for source in rest:
            node = host.files.node(source)
            real = host.files.resolve(source)
            host.files.copy(real if node else source, values["t"] + source)
        return OK
    *sources, target = rest
    found = host.files.node(target)
    into = found is not None and found.kind == "dir" and "T" not in flags
    for source in sources:
        host.files.copy(source, f"{target}/{posixpath.basename(source)}" if into else target)
    return OK


async def mv(host: FakeHost, command: Command) -> Answer:
    """``mv -fT SOURCE TARGET``: rename(2)."""
    flags, _, (source, target) = words(command)
    if "T" not in flags:
        return failed("mv: only -T is understood here")
    host.files.rename(source, target)
    return OK


async def ln(host: FakeHost, command: Command) -> Answer:
    """``ln -sfn TARGET LINK``."""
    flags, _, (target, link) = words(command)
    if not {"s", "f", "n"} <= flags:
        return failed("ln: only -sfn is understood here")
    host.files.link(target, link)
    return OK


async def rm(host: FakeHost, command: Command) -> Answer:
    """``rm -f FILE...`` and ``rm -rf TREE...``."""
    flags, _, rest = words(command)
    for path in rest:
        node = host.files.node(path, follow=False)
        if node is not None and node.kind == "dir" and "r" not in flags:
            return failed(f"rm: cannot remove '{path}': Is a directory")
        host.files.remove(path)
    return OK


async def rmdir(host: FakeHost, command: Command) -> Answer:
    """``rmdir FOLDER...``: empty ones only."""
    for path in words(command)[2]:
        node = host.files.node(path, follow=False)
        if node is None or node.kind != "dir":
            return failed(f"rmdir: failed to remove '{path}': No such file or directory")
        if host.files.children(path):
            return failed(f"rmdir: failed to remove '{path}': Directory not empty")
        host.files.remove(path)
    return OK


async def mkdir(host: FakeHost, command: Command) -> Answer:
    """``mkdir -p [-m MODE] FOLDER...``."""
    _, values, rest = words(command, "m")
    for path in rest:
        host.files.mkdir(path, int(values.get("m", "755"), 8))
    return OK


async def chown(host: FakeHost, command: Command) -> Answer:
    """``chown -R OWNER PATH``."""
    _, _, (owner, path) = words(command)
    host.files.own(path, owner)
    return OK


async def readlink(host: FakeHost, command: Command) -> Answer:
    """``readlink PATH``."""
    node = host.files.node(words(command)[2][0], follow=False)
    return (0, f"{node.target}\n", "") if node and node.kind == "link" else (1, "", "")


async def test(host: FakeHost, command: Command) -> Answer:
    """``test -e|-d|-L|-f PATH``."""
    how, path = command.argv[1:3]
    node = host.files.node(path, follow=how != "-L")
    kinds = {"-d": "dir", "-L": "link", "-f": "file"}
    holds = node is not None and (how == "-e" or node.kind == kinds[how])
    return (0 if holds else 1), "", ""


async def stat(host: FakeHost, command: Command) -> Answer:
    """``stat -c FORMAT PATH...`` with %n, %a, %F."""
    _, values, rest = words(command, "c")
    lines = []
    for path in rest:
        node = host.files.node(path, follow=False)
        if node is None:
            return failed(f"stat: cannot statx '{path}': No such file or directory")
        shown = values["c"].replace("\\t", "\t").replace("%n", path)
        lines.append(shown.replace("%a", f"{node.mode:o}") + "\n")
    return 0, "".join(lines), ""


async def find(host: FakeHost, command: Command) -> Answer:
    """``find PATH... -maxdepth 0 -type l -printf '%p\\t%l\\n'`` (links with their targets),
    ``find PATH... -maxdepth 0 -printf '%p\\t%y\\t%m\\t%u:%g\\t%l\\n'`` (all there is to know) and
    ``find FOLDER -maxdepth 1 -name '*.conf'``."""
    at = command.argv.index("-maxdepth")
    paths = command.argv[1:at]
    nodes = {path: host.files.node(path, follow=False) for path in paths}
    if "/proc/self/" in nodes:  # whoever asks for it here is root
        nodes["/proc/self/"] = Node("dir", mode=0o555)
    missing = any(node is None for node in nodes.values())
    if command.argv[at + 1] == "1":
        names = [] if missing else host.files.children(paths[0])
        lines = [f"{paths[0]}/{name}\n" for name in names if fnmatch(name, command.argv[-1])]
    elif "-type" not in command.argv:
        lines = [
            f"{p}\t{n.kind[0]}\t{n.mode:o}\t{n.owner}\t{n.target}\n" for p, n in nodes.items() if n
        ]
    else:
        lines = [f"{p}\t{n.target}\n" for p, n in nodes.items() if n and n.kind == "link"]
    return int(missing), "".join(lines), ""


async def sync(host: FakeHost, command: Command) -> Answer:
    """Everything is on the disk at once here."""
    return OK


async def ls(host: FakeHost, command: Command) -> Answer:
    """``ls -1`` and, newest first, ``ls -1t``."""
    flags, _, (path,) = words(command)
    if not host.files.exists(path):
        return failed(f"ls: cannot access '{path}': No such file or directory", 2)
    names = host.files.children(path)
    real = host.files.resolve(path)
    if "t" in flags:
        names.sort(key=lambda name: -host.files.nodes[f"{real}/{name}"].changed)
    return 0, "".join(f"{name}\n" for name in names), ""


async def rsync(host: FakeHost, command: Command) -> Answer:
    """``rsync -a --delete SOURCE/ TARGET/`` on one host, and ``--version``."""
    flags, _, rest = words(command)
    if "--version" in flags:
        return 0, "rsync  version 3.2.7\n", ""
    patterns = [w.partition("=")[2] for w in command.argv if w.startswith("--exclude=")]
    source, target = (path.rstrip("/") for path in rest)
    host.mirror(host.tree(source, patterns), target, patterns)
    return OK


async def true(host: FakeHost, command: Command) -> Answer:
    """Does nothing, well."""
    return OK


async def false(host: FakeHost, command: Command) -> Answer:
    """Does nothing, badly."""
    return 1, "", ""


PROGRAMS: Mapping[str, Program] = {
    program.__name__: program
    for program in (
        systemctl, install, cp, mv, ln, rm, rmdir, mkdir, chown, readlink, test, stat, find, sync,
        ls, rsync, true, false,
    )
}  # fmt: skip
"""What every fake host has installed."""
