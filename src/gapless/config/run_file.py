"""From the text of a run file to a ProcessConfig, with every problem told at once."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from gapless.config import process_rules
from gapless.config.messages import explain
from gapless.config.problems import Findings, Place
from gapless.config.process import ProcessConfig
from gapless.config.tree import Node, Scalar, Table, locate, parse, to_data
from gapless.errors import UsageError


class Read(NamedTuple):
    """What a file says, as far as it is right, and where everything in it stands."""

    config: ProcessConfig | None
    tree: Node


def read(file: Path, findings: Findings) -> Read:
    """Read and check a run file. Raises UsageError when it cannot be read at all."""
    root = parse(text_of(file, findings), findings)
    if not isinstance(root, Table):
        if not findings:
            findings.add(Place(1, 1), "expected a mapping with command, listen, ready …")
        return Read(None, Table(Place(1, 1), {}))
    entries = {key: entry for key, entry in root.entries.items() if not key.startswith("x-")}
    tree = Table(root.place, entries)
    return Read(judged(to_data(tree), tree, findings), tree)


def text_of(file: Path, findings: Findings) -> str:
    """The text of a file; what is not UTF-8 is a finding. Raises UsageError."""
    try:
        raw = _bytes_of(file)
    except FileNotFoundError:
        raise UsageError(f"there is no {file}", next="gapless run -c FILE") from None
    except OSError as error:
        raise UsageError(f"{file} cannot be read: {error.strerror}") from None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        place = Place(before.count("\n") + 1, len(before) - before.rfind("\n"))
        findings.add(place, f"the byte 0x{raw[error.start]:02x} is not UTF-8", "save it as UTF-8")
        return ""


def _bytes_of(file: Path) -> bytes:
    """Of a regular file: a pipe could keep us waiting, and says nothing when it is read again."""
    with open(os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as opened:  # noqa: PTH123
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise OSError(0, "it is not a regular file, which is read again at each flip")
        return opened.read()


def judged(data: Mapping[str, Any], tree: Node, findings: Findings) -> ProcessConfig | None:
    """The models' objections and those of :mod:`process_rules`; None when there are any."""
    config = None
    try:
        config = ProcessConfig.model_validate(data, by_alias=True, by_name=False)
    except ValidationError as error:
        explain(error, tree, ProcessConfig, findings)
        config = _rest(data, error)
    for finding in process_rules.check(config) if config else ():
        key, value, node = locate(tree, finding.path)
        findings.add(value if isinstance(node, Scalar) else key, finding.text, finding.hint)
    return None if findings else config


def _rest(data: Mapping[str, Any], error: ValidationError) -> ProcessConfig | None:
    """The file without the keys that are wrong by themselves: the others are judged all the same,
    so that everything is told at once."""
    wrong = {str(detail["loc"][0]) for detail in error.errors() if detail["loc"]}
    right = {key: value for key, value in data.items() if key not in wrong}
    try:
        return ProcessConfig.model_validate({"command": ["true"], **right})
    except ValidationError:
        return None
