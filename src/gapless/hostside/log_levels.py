"""How bad a line of a log is, as the usual programs write it, and what it says."""

from __future__ import annotations

import json
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOT_TOLD, FINE, WARNING, ERROR, FATAL = 0, 20, 30, 40, 50
LEVELS = {"warning": WARNING, "error": ERROR, "fatal": FATAL}
"""The words of the configuration."""

_WORDS = {
    **dict.fromkeys(
        ("fatal", "critical", "crit", "alert", "emerg", "emergency", "panic", "f"), FATAL
    ),
    **dict.fromkeys(("error", "err", "eror", "erro", "severe", "exception", "e"), ERROR),
    **dict.fromkeys(("warn", "warning", "w"), WARNING),
    **dict.fromkeys(
        ("info", "information", "notice", "debug", "trace", "verbose", "fine", "finer", "finest",
         "config", "i", "d", "t"),
        FINE,
    ),
}  # fmt: skip
_LEVEL_KEYS = (
    "level", "severity", "severity_text", "severityText", "lvl", "levelname", "loglevel",
    "log_level", "logLevel", "log.level", "@l", "priority", "PRIORITY", "Level", "levelno",
)  # fmt: skip
_MESSAGE_KEYS = ("msg", "message", "@m", "@mt", "short_message", "event", "text", "body", "Message")
_CAUSE_KEYS = (
    "err",
    "error",
    "exception",
    "exc_info",
    "stack",
    "stack_trace",
    "error.message",
    "@x",
)

_BAD = "FATAL|CRITICAL|CRIT|PANIC|EMERG|ALERT|ERROR|ERR|SEVERE"
_OTHER = "WARNING|WARN|NOTICE|INFO|DEBUG|TRACE|VERBOSE"
_MARK = re.compile(rf"(?:^|[\s\[<(|\"'=:,])({_BAD}|{_OTHER})(?=$|[\s\]>)|:\"',])")
_BRACKET = re.compile(r"\[(?:[a-z_]+:)?(emerg|alert|crit|error|warn|notice|info|debug)\]")
_LOGFMT = re.compile(r"\b(?:level|lvl|severity)=\"?([A-Za-z]+)")
_GLOG = re.compile(r"([EFWI])\d{4} \d\d:\d\d:\d\d")
_PLAIN = re.compile(
    r"(?:^|PHP )(fatal(?: error)?|panic|error|critical|exception)(?:\[[^\]]*\])?:", re.IGNORECASE
)
EXCEPTION = re.compile(
    r"(?:[A-Za-z_$][\w$]*\.)*[A-Za-z_$][\w$]*(?:Exception|Error|Failure)(?=:|$|\s)"
)
_RAISED = re.compile(r"(?:^|\s)(?:[A-Za-z_$][\w$]*\.)*[A-Z][\w$]*(?:Exception|Error)(?=:)")
TRACEBACK = re.compile(r"\s*Traceback \(most recent call (?:last|first)\)|Exception in thread ")


def read(line: str) -> tuple[int, str]:
    """Level and message of one line; NOT_TOLD where it says nothing of its level."""
    return level(line), message(line)


def level(line: str) -> int:
    """How bad a line is, NOT_TOLD where it says nothing of it."""
    text = line.strip()
    record = _record(text)
    return _plain(text) if record is None else _level(record)


def message(line: str) -> str:
    """What a line says: of a record the message and its cause."""
    text = line.strip()
    record = _record(text) or {}
    return " ".join(part for part in (_message(record), _cause(record)) if part) or text


def _record(text: str) -> dict[str, Any] | None:
    """The record that a line is; None when it is text."""
    if not (text.startswith("{") and text.endswith("}")):
        return None
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def of_priority(priority: str) -> int:
    """The level of syslog's number, as the journal keeps it."""
    return _syslog(int(priority)) if priority.isdigit() else NOT_TOLD


def _plain(text: str) -> int:
    found = _GLOG.match(text) or _MARK.search(text) or _BRACKET.search(text) or _LOGFMT.search(text)
    if found:
        return _WORDS.get(found.group(1).lower(), NOT_TOLD)
    if TRACEBACK.match(text) or EXCEPTION.match(text) or _RAISED.search(text):
        return ERROR
    found = _PLAIN.search(text)
    return NOT_TOLD if not found else FATAL if found.group(1)[0] in "fFpPcC" else ERROR


def _level(record: dict[str, Any]) -> int:
    log = record.get("log")
    if isinstance(log, dict) and "level" in log:
        record = {**record, "log.level": log["level"]}
    for key in _LEVEL_KEYS:
        value = record.get(key)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, str) and not value.isdigit():
            return _WORDS.get(value.lower(), NOT_TOLD)
        if isinstance(value, (int, str)) and not isinstance(value, bool):
            return _number(key, int(value))
    return NOT_TOLD


def _number(key: str, value: int) -> int:
    if key == "levelno":  # Python's: 40 is an error
        return FATAL if value >= 50 else ERROR if value >= 40 else WARNING if value >= 30 else FINE
    if value >= 10:  # bunyan's and pino's: 50 is an error, 60 is fatal
        return FATAL if value >= 60 else ERROR if value >= 50 else WARNING if value >= 40 else FINE
    return _syslog(value)


def _syslog(value: int) -> int:
    return FATAL if value <= 2 else ERROR if value == 3 else WARNING if value == 4 else FINE


def _message(record: dict[str, Any]) -> str:
    found = (record.get(key) for key in _MESSAGE_KEYS)
    return next((value for value in found if isinstance(value, str) and value), "")


def _cause(record: dict[str, Any]) -> str:
    for key in _CAUSE_KEYS:
        value = record.get(key)
        if isinstance(value, dict):
            parts = (value.get(part) for part in ("name", "type", "code", "message"))
            value = " ".join(str(part) for part in parts if part)
        if isinstance(value, str) and value.strip():
            lines = value.strip().splitlines()
            return lines[-1] if TRACEBACK.match(lines[0]) else lines[0]
    return ""
