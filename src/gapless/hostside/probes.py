"""Health questions: each gives a verdict with what was asked, answered and wanted."""

from __future__ import annotations

import os
import socket
import threading
import time

from gapless.hostside.exchange import connect
from gapless.hostside.faults import Fault
from gapless.hostside.matching import UnreadablePattern, found

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PASS, FAIL, INCONCLUSIVE = "PASS", "FAIL", "INCONCLUSIVE"
_NAGIOS = {0: PASS, 3: INCONCLUSIVE}
_LONGEST = 300


def probe(
    question: dict[str, Any], answer_within: float, cancelled: threading.Event
) -> dict[str, Any]:
    """Ask once. Raises nothing: an answer that cannot be had is a verdict too."""
    began = time.monotonic()
    limit = min(question["answer"], answer_within)
    verdict = _KINDS.get(question["kind"], _unknown)(question, limit, cancelled)
    return {
        "check": question["name"],
        "wanted": "",
        **verdict,
        "elapsed": round(time.monotonic() - began, 6),
    }


def one_line(text: str) -> str:
    """The beginning of a text, fit for one line."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def in_short(text: str) -> str:
    """One line of a program's output. Of what is too long the first line and the last: one of them
    says why, whatever wrote it."""
    lines = text.strip().splitlines()
    ends = " … ".join(" ".join(line.split()) for line in (lines[:1] + lines[-1:]))
    long = len(" ".join(text.split())) > _LONGEST
    return ends if long and len(lines) > 1 and len(ends) <= _LONGEST else one_line(text)


def trouble(error: Exception, limit: float) -> str:
    """Why there was no answer, in few words."""
    if isinstance(error, (socket.timeout, TimeoutError)):
        return no_answer(limit)
    if isinstance(error, socket.gaierror):
        return f"name not found: {error.strerror}"
    if type(error).__module__ == "ssl":  # whose errno is not the system's
        return one_line(f"TLS: {getattr(error, 'verify_message', '') or error}")
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return one_line(str(error)) or type(error).__name__


def no_answer(limit: float) -> str:
    """Nothing came in time."""
    return f"no answer within {limit:g} s"


def _http(question: dict[str, Any], limit: float, _cancelled: threading.Event) -> dict[str, Any]:
    from gapless.hostside.http_probe import ask_http

    return ask_http(question["spec"], limit)


def _tcp(question: dict[str, Any], limit: float, _cancelled: threading.Event) -> dict[str, Any]:
    spec = question["spec"]
    return _accepts(f"{spec['host']}:{spec['port']}", limit)


def _unix(question: dict[str, Any], limit: float, _cancelled: threading.Event) -> dict[str, Any]:
    return _accepts("unix:" + question["spec"]["path"], limit)


def _accepts(address: str, limit: float) -> dict[str, Any]:
    verdict = {"asked": f"connect to {address}", "wanted": "an accepted connection"}
    try:
        connect(address, limit).close()
    except (OSError, Fault, ValueError, OverflowError) as error:
        return {**verdict, "status": FAIL, "answer": trouble(error, limit)}
    return {**verdict, "status": PASS, "answer": "accepted"}


def _command(question: dict[str, Any], limit: float, cancelled: threading.Event) -> dict[str, Any]:
    from gapless.hostside.processes import Execution

    spec = question["spec"]
    command = {
        "argv": spec["argv"],
        "timeout": limit,
        "input": "",
        "cwd": spec.get("cwd"),
        "env": spec.get("env") or {},
        "user": spec.get("user"),
        "output_limit": 65536,
    }
    report = Execution(command, cancelled).run()
    return _judge(report, spec.get("output"), limit)


def _judge(report: dict[str, Any], pattern: str | None, limit: float) -> dict[str, Any]:
    import shlex

    wanted = "exit 0" + (f", output ~ {pattern}" if pattern else "")
    verdict = {"asked": shlex.join(report["argv"]), "wanted": wanted}
    if report["timed_out"]:
        return {**verdict, "status": FAIL, "answer": no_answer(limit)}
    output = report["stdout"].strip() or report["stderr"].strip()
    status = _NAGIOS.get(report["status"], FAIL)
    if status == PASS and pattern:
        try:
            status = PASS if found(pattern, report["stdout"] + report["stderr"]) else FAIL
        except UnreadablePattern as error:
            return {**verdict, "status": INCONCLUSIVE, "answer": f"cannot judge: {error}"}
    answer = f"exit {report['status']}" + (f": {in_short(output)}" if output else "")
    return {**verdict, "status": status, "answer": answer}


def _unknown(
    question: dict[str, Any], _limit: float, _cancelled: threading.Event
) -> dict[str, Any]:
    answer = f"this helper knows no probe of kind {question['kind']!r}"
    return {"status": INCONCLUSIVE, "asked": question["name"], "answer": answer}


def _openapi(question: dict[str, Any], limit: float, cancelled: threading.Event) -> dict[str, Any]:
    from gapless.hostside.openapi_probe import ask_openapi

    return ask_openapi(question["spec"], limit, cancelled)


def _container(
    question: dict[str, Any], limit: float, cancelled: threading.Event
) -> dict[str, Any]:
    from gapless.hostside.container_check import ask_container

    return ask_container(question["spec"], limit, cancelled)


_KINDS = {
    "http": _http,
    "tcp": _tcp,
    "unix": _unix,
    "command": _command,
    "openapi": _openapi,
    "container": _container,
}
