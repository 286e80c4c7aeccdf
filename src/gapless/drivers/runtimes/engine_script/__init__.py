"""What is run on a container host, sent over stdin: questions and orders to the engine's socket.

Needs Python 3.8 and its standard library there, and nothing of gapless. What leaves the host is
chosen here: an environment may hold secrets, so it never does.

    project SOCKET SERVICE FILE... -- COMPOSE...   what a compose project says of it
    make SOCKET STARTS LABEL... -- LABEL... -- COMPOSE...   one more by ``compose up``, more labels
    create SOCKET NAME LABEL... -- CREATE... -- WORD...   one by ``docker create``, and start it
    again SOCKET FILE [NAME] -- LABEL...   make one that the helper wrote down, and start it
    hook SOCKET NAME SECONDS -- EXEC...   a command in it; what is wrong with that is no failure
    end SOCKET ID SECONDS               stop it, with so much time to end by itself, and remove it
    disarm SOCKET ID                    have the engine not start it again when it ends
    rearm SOCKET ID                     undo that
    account SOCKET ID                   as whom it was told to run: NAME, UID, UID:GID or nothing

Containers of one service are made one after another, whoever asks: compose is told how many there
are to be, and that is one more than there are.

A host is sent the parts that a verb needs, and no other, as byte code for a Python like ours and as
text for any other: to compile them takes longer than most questions. What the helper needs as well
is of ``gapless.hostside``.
"""

from __future__ import annotations

import binascii
import marshal
import re
import zlib
from functools import cache
from pathlib import Path
from types import CodeType
from typing import Any

from gapless.hostside.bundle import TAG, byte_code_tag, compiled

VERBS = {
    "project": "projects",
    **dict.fromkeys(("make", "create"), "making"),
    "again": "remaking",
    **dict.fromkeys(("end", "hook"), "ending"),
    **dict.fromkeys(("disarm", "rearm", "account"), "arming"),
}
"""The part in which each is."""
_SOURCES = Path(__file__).parents[4]
_NEEDS = re.compile(
    rf"^from ((?:{re.escape(__name__)}|gapless\.hostside)\.\w+) import", re.MULTILINE
)
_LOADS = f"""
import binascii
import marshal
import sys
import zlib
alike = OURS == {TAG}
for name, part in marshal.loads(zlib.decompress(binascii.a2b_base64(CODE if alike else TEXT))):
    module = sys.modules[name] = type(sys)(name)
    exec(part if alike else compile(part, name, "exec"), module.__dict__)
sys.modules[RUNS].run(module.ORDERS)
"""


@cache
def script(verb: str) -> bytes:
    """The program for a verb: its parts, each after those it imports from."""
    parts: list[str] = []
    _collect(f"{__name__}.entry", parts)
    _collect(f"{__name__}.{VERBS[verb]}", parts)
    known = {
        "TEXT": _packed([(part, _text(part)) for part in parts], 2),
        "CODE": _packed([(part, _code(part)) for part in parts], 4),
        "OURS": byte_code_tag(),
        "RUNS": f"{__name__}.entry",
    }
    return "".join([*(f"{name} = {one!r}\n" for name, one in known.items()), _LOADS]).encode()


def _packed(parts: list[tuple[str, Any]], version: int) -> str:
    """Names with text or code, in one short line. Every Python there is knows version 2."""
    data = zlib.compress(marshal.dumps(parts, version))
    return binascii.b2a_base64(data, newline=False).decode()


def _collect(part: str, parts: list[str]) -> None:
    if part in parts:
        return
    for needed in _NEEDS.findall(_text(part)):
        _collect(needed, parts)
    parts.append(part)


@cache
def _text(part: str) -> str:
    return _SOURCES.joinpath(*part.split(".")).with_suffix(".py").read_text()


@cache
def _code(part: str) -> CodeType:
    """Most verbs need the same parts."""
    return compiled({part: _text(part)})[part]
