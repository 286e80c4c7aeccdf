"""When a line of a log was written, as the usual programs say it. Times without a zone are those
of this host."""

from __future__ import annotations

import calendar
import re
import time

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"), 1
    )
}
_NEAR = 100
"""Characters at the beginning of a line in which its time is looked for."""
_ISO = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[T ](\d\d):(\d\d):(\d\d)(?:[.,](\d+))?\s?(Z\b|[+-]\d\d:?\d\d\b)?"
)
_IN_JSON = re.compile(r"\"(?:time|timestamp|@timestamp|ts|@t|asctime|t)\"\s*:\s*\"?([^\",}]+)")
_EPOCH = re.compile(r"(\d{10})(\d{3})?(?:\d{6})?(\.\d+)?$")
_CLF = re.compile(r"(\d\d)/([A-Z][a-z]{2})/(\d{4}):(\d\d):(\d\d):(\d\d) ([+-]\d{4})")
_SYSLOG = re.compile(r"([A-Z][a-z]{2}) ([ \d]\d) (\d\d):(\d\d):(\d\d)")


def of_line(line: str) -> float | None:
    """Seconds since the epoch, None where the line does not say."""
    text = line[:_NEAR]
    if line.startswith("{"):
        named = _IN_JSON.search(line)
        if named is None:
            return None
        text = named.group(1)
        number = _EPOCH.match(text)
        if number:
            fraction = float(number.group(3) or 0) + int(number.group(2) or 0) / 1000
            return int(number.group(1)) + fraction
    return _iso(text) or _clf(text) or _syslog(text)


def _iso(text: str) -> float | None:
    found = _ISO.search(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction = float("0." + (found.group(7) or "0"))
    return _at((year, month, day, hour, minute, second), found.group(8)) + fraction


def _clf(text: str) -> float | None:
    found = _CLF.search(text)
    if found is None or found.group(2) not in _MONTHS:
        return None
    day, hour, minute, second = (int(found.group(n)) for n in (1, 4, 5, 6))
    date = (int(found.group(3)), _MONTHS[found.group(2)], day, hour, minute, second)
    return _at(date, found.group(7))


def _syslog(text: str) -> float | None:
    found = _SYSLOG.match(text)
    if found is None or found.group(1) not in _MONTHS:
        return None
    day, hour, minute, second = (int(found.group(n)) for n in (2, 3, 4, 5))
    year, month = time.localtime().tm_year, _MONTHS[found.group(1)]
    at = _at((year, month, day, hour, minute, second), None)
    if at > time.time() + 86400:  # it does not say the year: last December's
        at = _at((year - 1, month, day, hour, minute, second), None)
    return at


def _at(date: tuple[int, int, int, int, int, int], zone: str | None) -> float:
    if zone is None:
        return time.mktime((*date, 0, 0, -1))
    at = calendar.timegm((*date, 0, 0, 0))
    if zone == "Z":
        return float(at)
    away = int(zone[1:3]) * 3600 + int(zone[-2:]) * 60
    return float(at - away if zone[0] == "+" else at + away)
