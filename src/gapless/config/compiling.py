"""From a run file or a command line to the Spec that the supervisor holds.

    python -m gapless.config.compiling FILE NAME
    python -m gapless.config.compiling -

prints the Spec as one line of JSON, or the problems and ends with 2; - reads from standard input
what was said on a command line. The supervisor runs it at a flip when one of the inputs has
changed; nothing of it stays in memory.

Values of the environment never stand in an error.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gapless.config import env_file, run_file
from gapless.config.health import parse_status
from gapless.config.problems import Findings, Place
from gapless.config.process import NAME, ListenConfig, ProcessConfig, ReadyConfig
from gapless.config.process_pair import of_slot
from gapless.config.process_rules import kinds, probe_kind
from gapless.config.process_warnings import warnings
from gapless.config.references import words as words_in
from gapless.config.run_words import Said, Words
from gapless.config.tree import Node, locate, to_data
from gapless.errors import ConfigError, GaplessError, Problem, UsageError
from gapless.supervisor.spec import Listen, Proxy, Ready, Spec, Stop

_Input = tuple[str, int, int]


class _Files:
    """Environment files, one after the other."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.variables: dict[str, str] = {}
        self.inputs: list[_Input] = []
        self.problems: list[Problem] = []

    def add(self, word: str) -> None:
        """Raises UsageError when it is not there and has to be."""
        file = (self._folder / word.removeprefix("-")).absolute()
        self.inputs.append(_input(file))
        if word.startswith("-") and not file.exists():
            return
        findings = Findings(str(file))
        found = env_file.read(run_file.text_of(file, findings), findings)
        self.problems += findings.problems
        self.variables.update(found)


def compile_file(path: str | Path, name: str = "") -> Spec:
    """A run file, with its environment files read. Raises UsageError (it cannot be read) or
    ConfigError with every problem."""
    file = Path(path).absolute()
    findings = Findings(str(path))
    own = _input(file)  # before it is read: what is written meanwhile counts as a change
    config, tree = run_file.read(file, findings)
    if config is not None and config.paired:
        config, tree = of_slot(config, tree, name, findings)
    files = _read_all(tree, file.parent, findings)
    name = name or (config.name if config else "") or _name_of(file, findings)
    if config is None or findings or files.problems:
        raise _wrong((*findings.problems, *files.problems))
    settled = config.model_copy(
        update={
            "directory": _path(config.directory, file.parent),
            "pidfile": _path(config.pidfile, file.parent),
            "environment": {**files.variables, **config.environment},
        }
    )
    return _spec(settled, name, source=str(file), inputs=(own, *files.inputs))


def compile_words(
    listen: Sequence[str],
    command: Sequence[str],
    name: str = "",
    ready: str = "",
    settle: str = "",
    settings: Sequence[str] = (),
) -> Spec:
    """What was given on a command line, with environment files read; paths are seen from the
    current folder. Raises UsageError with every problem."""
    words = Words(listen, command, name, ready, settle, settings)
    said = Said(words)
    config, tree = said.read()
    files = _read_all(tree, Path(), said.findings)
    if config is None or said.findings or files.problems:
        told = [*map(said.told, said.findings.problems), *map(str, files.problems)]
        first, *more = told
        raise UsageError(first, evidence="\n".join(more), next="gapless run --help")
    if config.paired:
        raise UsageError(f"--name: '{config.name}' is two processes", next="gapless run -c FILE")
    name = config.name or _name_of(Path(config.command[0]), None)
    settled = config.model_copy(update={"environment": {**files.variables, **config.environment}})
    given = words.to_json() if files.inputs else ""
    return _spec(settled, name, inputs=tuple(files.inputs), given=given)


def _read_all(tree: Node, folder: Path, findings: Findings) -> _Files:
    """The environment files that it names."""
    files = _Files(folder)
    for step, word in words_in(to_data(tree).get("env_files")):
        try:
            files.add(word)
        except UsageError as error:
            place = locate(tree, ("env_files", *step))[1]
            findings.add(place, f"env_files: {error.what}", "with - in front it may be missing")
    return files


def _wrong(problems: tuple[Problem, ...]) -> ConfigError:
    error = ConfigError(problems)
    error.next = ""
    return error


def _name_of(file: Path, findings: Findings | None) -> str:
    """From a file's name."""
    name = file.stem if findings is not None else file.name
    if not re.fullmatch(NAME, name):
        if findings is None:
            raise UsageError(f"'{name}' cannot be a name", next="gapless run --name NAME …")
        findings.add(Place(1, 1), f"'{name}' cannot be a name", "give one: name: …")
    return name


def _input(file: Path) -> _Input:
    try:
        found = file.stat()
    except OSError:
        return str(file), 0, -1
    return str(file), found.st_mtime_ns, found.st_size


def _path(path: str | None, folder: Path) -> str | None:
    return os.path.normpath(folder / path) if path else None


def _spec(
    config: ProcessConfig,
    name: str,
    source: str = "",
    inputs: tuple[_Input, ...] = (),
    given: str = "",
) -> Spec:
    return Spec(
        name=name,
        command=config.command,
        source=source,
        given=given,
        inputs=inputs,
        directory=config.directory or "",
        environment=dict(config.environment),
        listen=_listens(config.listen),
        starters=config.starters,
        nonblocking=config.nonblocking,
        probe=probe_kind(config),
        proxy=tuple(Proxy(one.listen, one.to) for one in config.proxy),
        ready=_ready(config.ready),
        start_timeout=config.start_timeout,
        settle=config.settle,
        stop=Stop(config.stop.delay, config.stop.signal, config.stop.timeout),
        max_draining=config.max_draining,
        flip_signal=config.flip_signal,
        signals={str(number): other for number, other in config.signals.items()},
        output=config.output,
        pidfile=config.pidfile or "",
        user=config.user or "",
        group=config.group or "",
        umask=-1 if config.umask is None else config.umask,
        limits=dict(config.limits),
        warnings=warnings(config),
    )


def _listens(listens: Sequence[ListenConfig]) -> tuple[Listen, ...]:
    """With names for those that have none: two sockets never share one."""
    taken = {one.name for one in listens} | {"probe"}
    found = []
    for one in listens:
        name = one.name or _unused(_called(one.address), taken)
        taken.add(name)
        mode = 0o666 if one.mode is None else one.mode
        found.append(Listen(name, one.address, one.backlog, mode))
    return tuple(found)


def _called(address: str) -> str:
    """The port, or the last part of the path."""
    last = address.rpartition("/")[2]
    word = last if address.startswith("unix:") else last.rpartition(":")[2]
    return "".join(c if c.isascii() and (c.isalnum() or c in "._-") else "-" for c in word)


def _unused(name: str, taken: set[str | None]) -> str:
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name}-{number}"
    return found


def _ready(ready: ReadyConfig) -> Ready:
    (kind,) = kinds(ready)
    value = getattr(ready, kind)
    return Ready(
        kind=kind,
        after=value if kind == "alive" else 0.0,
        command=value if kind == "command" else (),
        target=value if kind in ("http", "tcp", "unix", "docker") else "",
        status=_codes(ready.status),
        body=ready.body,
        interval=ready.interval,
        timeout=ready.timeout,
        successes=ready.successes,
        docker=ready.docker_socket,
    )


def _codes(status: Any) -> tuple[int, ...]:
    """``2xx`` and ``200-204`` written out."""
    parse_status(status)
    codes: dict[int, None] = {}
    for one in status if isinstance(status, (list, tuple)) else (status,):
        first, _, last = str(one).partition("-")
        low, high = int(first.replace("x", "0")), int((last or first).replace("x", "9"))
        codes.update(dict.fromkeys(range(low, high + 1)))
    return tuple(codes)


def main(arguments: Sequence[str]) -> int:
    """``FILE NAME`` or ``-``: the Spec on standard output, or problems on standard error."""
    if arguments != ["-"] and len(arguments) != 2:
        sys.stderr.write("usage: python -m gapless.config.compiling FILE NAME\n")
        return 2
    try:
        spec = compile_file(*arguments) if arguments != ["-"] else _said_before(sys.stdin.read())
    except ConfigError as error:
        sys.stderr.write(f"{error.evidence}\n")
        return 2
    except GaplessError as error:
        sys.stderr.write("\n".join(filter(None, (str(error), error.evidence))) + "\n")
        return 2
    sys.stdout.write(spec.to_json() + "\n")
    return 0


def _said_before(text: str) -> Spec:
    """What ``Words.to_json`` wrote."""
    return compile_words(**json.loads(text))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
