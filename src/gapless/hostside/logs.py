"""The verb that counts what is in a log of this host."""

from __future__ import annotations

import json
import sys

from gapless.hostside.bundle import interpreter, pack, pack_settings
from gapless.hostside.calls import Call
from gapless.hostside.faults import Fault
from gapless.hostside.payload import MODULES
from gapless.hostside.processes import Execution
from gapless.hostside.wire import pack_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_READER = "gapless.hostside.log_reader"
_NEEDS = (
    "boot",
    "faults",
    "log_files",
    "log_fingerprint",
    "log_incidents",
    "log_journal",
    "log_levels",
    "log_patterns",
    "log_reader",
    "log_times",
    "payload",
)
_LARGEST = 8 << 20
"""Bytes of an answer: some thousand fingerprints."""


def logs(call: Call) -> dict[str, Any]:
    """The verb."""
    query: dict[str, Any] = call.args
    report = Execution(
        {
            "argv": list(interpreter(sys.executable)),
            "input": pack_bytes(pack_settings({"log": query}) + _bundle()),
            "timeout": query["timeout"],
            "cwd": "/",
            "env": {},
            "user": None,
            "output_limit": 2 * _LARGEST,
        },
        call.cancelled,
    ).run()
    call.check()
    return _answer(report, query)


def _bundle() -> bytes:
    names = ["gapless", "gapless.hostside", *("gapless.hostside." + need for need in _NEEDS)]
    return pack({name: MODULES[name] for name in names}, _READER)


def _answer(report: dict[str, Any], query: dict[str, Any]) -> dict[str, Any]:
    if report["timed_out"]:
        raise Fault(f"the log could not be read within {query['timeout']:g} s", kind="deadline")
    try:
        answer = json.loads(report["stdout"])
    except ValueError as error:
        evidence = report["stderr"] or report["stdout"][:300]
        raise Fault("the log could not be read", evidence=evidence) from error
    if "fault" in answer:
        raise Fault(**answer["fault"])
    found: dict[str, Any] = answer
    return found
