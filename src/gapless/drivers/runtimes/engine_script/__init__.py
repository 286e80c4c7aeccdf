"""What is run on a container host, sent over stdin: questions and orders to the engine's socket.

Needs Python 3.8 and its standard library there, and nothing of gapless. What leaves the host is
chosen here: an environment may hold secrets, so it never does.

    project SOCKET SERVICE FILE... -- COMPOSE...   what a compose project says of it
    keep SOCKET ID FILE PATH...         write all that is needed to make a container again; files
                                        that compose may have copied into one it made alone
    make SOCKET STARTS LABEL... -- LABEL... -- COMPOSE...   one more by ``compose up``, more labels
    create SOCKET NAME LABEL... -- CREATE... -- WORD...   one by ``docker create``, and start it
    again SOCKET FILE [NAME] -- LABEL...   make one from such a file, and start it
    hook SOCKET NAME SECONDS -- EXEC...   a command in it; what is wrong with that is no failure
    end SOCKET ID SECONDS               stop it, with so much time to end by itself, and remove it
    disarm SOCKET ID                    have the engine not start it again when it ends
    rearm SOCKET ID                     undo that
    account SOCKET ID                   as whom it was told to run: NAME, UID, UID:GID or nothing

Containers of one service are made one after another, whoever asks: compose is told how many there
are to be, and that is one more than there are.

A host is sent the parts that a verb needs, and no other: to compile all takes longer than most
questions.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

VERBS = {
    "project": "projects",
    **dict.fromkeys(("make", "create"), "making"),
    **dict.fromkeys(("keep", "again"), "keeping"),
    **dict.fromkeys(("end", "hook"), "ending"),
    **dict.fromkeys(("disarm", "rearm", "account"), "arming"),
}
"""The part in which each is."""
_HERE = Path(__file__).parent
_NEEDS = re.compile(rf"^from {re.escape(__name__)}\.(\w+) import", re.MULTILINE)
_LOADS = """
import sys
for name, text in PARTS:
    module = sys.modules[name] = type(sys)(name)
    exec(compile(text, name, "exec"), module.__dict__)
sys.modules[RUNS].run(module.ORDERS)
"""


@cache
def script(verb: str) -> bytes:
    """The program for a verb: its parts as text, each after those it imports from."""
    parts: dict[str, str] = {}
    _collect("entry", parts)
    _collect(VERBS[verb], parts)
    named = [(f"{__name__}.{part}", text) for part, text in parts.items()]
    return f"PARTS = {named!r}\nRUNS = {__name__ + '.entry'!r}\n{_LOADS}".encode()


def _collect(part: str, parts: dict[str, str]) -> None:
    if part in parts:
        return
    text = (_HERE / f"{part}.py").read_text()
    for needed in _NEEDS.findall(text):
        _collect(needed, parts)
    parts[part] = text
