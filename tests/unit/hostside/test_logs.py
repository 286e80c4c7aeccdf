"""What is counted of a log: levels, fingerprints, incidents, patterns, times."""

from __future__ import annotations

import json
import time

import pytest

from gapless.hostside import log_times
from gapless.hostside.faults import Fault
from gapless.hostside.log_fingerprint import fingerprint, sample, shape
from gapless.hostside.log_incidents import MOST_KINDS, Incidents
from gapless.hostside.log_levels import ERROR, FATAL, FINE, NOT_TOLD, WARNING, of_priority, read
from gapless.hostside.log_patterns import Patterns

PYTHON = """Traceback (most recent call last):
  File "/srv/app.py", line 3, in <module>
    main()
ValueError: no row 17

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/srv/app.py", line 9, in <module>
    retry()
KeyError: 'row'"""
JAVA = """2026-11-21 17:00:00,123 ERROR [main] c.e.Shop - cannot serve
java.lang.IllegalStateException: pool is empty
\tat com.example.Shop.serve(Shop.java:12)
\tat com.example.Shop.main(Shop.java:4)
Caused by: java.net.ConnectException: refused
\tat java.net.Socket.connect(Socket.java:1)
\t... 12 more"""
NODE = """TypeError: Cannot read properties of undefined (reading 'id')
    at handler (/srv/shop/index.js:10:5)
    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)"""
PANIC = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:"""


@pytest.mark.parametrize(
    ("line", "level"),
    [
        ("2026-11-21 17:00:00 ERROR no connection", ERROR),
        ("[2026-11-21] [error] no connection", ERROR),
        ("2026/11/21 17:00:00 [crit] 7#7: *1 open() failed", FATAL),
        ("[core:error] [pid 12] AH00126: invalid URI", ERROR),
        ("ERROR: relation does not exist", ERROR),
        ("FATAL:  password authentication failed", FATAL),
        ("level=error msg=refused", ERROR),
        ('ts=1 lvl="warn" msg=slow', WARNING),
        ("E1121 17:00:00.000000  12 main.go:7] refused", ERROR),
        ("F1121 17:00:00.000000  12 main.go:7] refused", FATAL),
        ("panic: runtime error", FATAL),
        ("[21-Nov-2026 17:00:00 UTC] PHP Fatal error:  Uncaught Exception", FATAL),
        ("java.lang.NullPointerException: x", ERROR),
        ("Error: connect ECONNREFUSED 127.0.0.1:5432", ERROR),
        ("2026-11-21 INFO retry after ERROR code 7", FINE),
        ("2026-11-21 17:00:00 WARN java.io.IOException: closed", WARNING),
        ("no errors found", NOT_TOLD),
        ("0 failed, terror is no level", NOT_TOLD),
        ('{"level":50,"msg":"x"}', ERROR),
        ('{"level":60,"msg":"x"}', FATAL),
        ('{"level":40,"msg":"ERROR in words"}', WARNING),
        ('{"level":3,"short_message":"graylog"}', ERROR),
        ('{"level":"error","msg":"x"}', ERROR),
        ('{"severity":"CRITICAL","message":"x"}', FATAL),
        ('{"levelname":"ERROR","message":"x"}', ERROR),
        ('{"levelno":40,"message":"x"}', ERROR),
        ('{"log.level":"error","message":"x"}', ERROR),
        ('{"log":{"level":"fatal"},"message":"x"}', FATAL),
        ('{"@l":"Error","@m":"x"}', ERROR),
        ('{"PRIORITY":"2","MESSAGE":"x"}', FATAL),
        ('{"level":"info","err":{"name":"Error"}}', FINE),
        ('{"level":true}', NOT_TOLD),
        ('{"not": json}', NOT_TOLD),
        ("[1, 2]", NOT_TOLD),
    ],
)
def test_levels_as_programs_write_them(line: str, level: int) -> None:
    assert read(line)[0] == level


def test_priorities_of_the_journal() -> None:
    found = [of_priority(str(number)) for number in range(8)]
    assert found == [FATAL, FATAL, FATAL, ERROR, WARNING, FINE, FINE, FINE]
    assert of_priority("") == NOT_TOLD


def test_the_message_of_a_record_has_its_cause() -> None:
    record = {"level": 50, "msg": "failed", "err": {"name": "Timeout", "message": "of cassandra"}}
    assert read(json.dumps(record))[1] == "failed Timeout of cassandra"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("took 12 ms", "took 4711 ms"),
        (
            "user 5f0c7f5e-3a61-4b7e-9d6a-0c4b6f3b1a2d gone",
            "user 00000000-1111-2222-3333-444444444444 gone",
        ),
        ("at 0xdeadbeef", "at 0xcafe"),
        ("sha deadbeef01", "sha 0123456789abcdef"),
        ('no table "orders"', 'no table "carts"'),
        ("cannot open /srv/a/b.txt", "cannot open /var/lib/c/d/e"),
        ("GET https://a.example/x?y=1 failed", "GET http://b.example/ failed"),
        ("refused by 10.0.0.1:5432", "refused by 192.168.0.7:99"),
        ("2026-11-21T17:00:00.123Z gone", "2025-01-01 00:00:00 gone"),
    ],
)
def test_what_differs_from_time_to_time_is_no_difference(one: str, other: str) -> None:
    assert fingerprint(one) == fingerprint(other), (shape(one), shape(other))


def test_words_are_a_difference() -> None:
    assert len({fingerprint(text) for text in ("disk full", "disk gone", "facade full")}) == 3


def test_a_sample_hides_what_looks_like_a_secret() -> None:
    text = "login password=hunter2 Authorization: Bearer abcdefgh token='x1y2' http://u:pw@db/"
    shown = sample(text)
    assert not any(word in shown for word in ("hunter2", "abcdefgh", "x1y2", ":pw@"))
    assert len(sample("x" * 9999)) == 200


def counted(lines: list[tuple[float, str]], least: int = ERROR, **patterns: str) -> Incidents:
    incidents = Incidents(least, Patterns(patterns, ["ignore me"]))
    for at, line in lines:
        incidents.feed(at, line)
    incidents.close()
    return incidents


@pytest.mark.parametrize(
    ("block", "told"),
    [
        (PYTHON, "KeyError: 'row'"),
        (JAVA, "cannot serve java.lang.IllegalStateException: pool is empty"),
        (NODE, "TypeError: Cannot read properties"),
        (PANIC, "panic: runtime error"),
    ],
)
def test_a_traceback_is_one_incident(block: str, told: str) -> None:
    lines = [(1.0, line) for line in block.splitlines()]
    one_by_one = counted([(0.5, "INFO fine"), *lines, (1.1, "INFO fine"), (1.2, "served")])
    assert one_by_one.level.errors == 1
    ((text, count),) = one_by_one.level.to_json(frozenset())["top"]
    assert told in text
    assert count == 1
    assert counted([(1.0, block)]).level.errors == 1  # and as one entry of the journal


def test_a_python_error_with_its_traceback_is_one_incident() -> None:
    lines = ["2026-11-21 17:00:00 ERROR cannot serve", *PYTHON.splitlines()[:4]]
    incidents = counted([(1.0, line) for line in lines])
    assert incidents.level.to_json(frozenset())["top"][0][0].endswith("ValueError: no row 17")
    assert incidents.level.errors == 1


def test_the_same_message_within_two_seconds_is_one_incident() -> None:
    lines = [(at / 10, f"ERROR refused {at}") for at in range(50)]  # five seconds of it
    assert counted(lines).level.errors == 3
    assert counted(lines).level.to_json(frozenset())["top"] == [["ERROR refused 0", 50]]


def test_forty_different_messages_of_one_instant_are_forty() -> None:
    lines = [(1.0, f"ERROR {chr(97 + n // 26)}{chr(97 + n % 26)} broken") for n in range(40)]
    assert counted(lines).level.errors == 40


def test_a_level_is_what_is_counted_from() -> None:
    lines = [(1.0, "WARN a"), (1.0, "ERROR b"), (1.0, "FATAL c"), (1.0, "d")]
    assert [counted(lines, least).level.errors for least in (WARNING, ERROR, FATAL)] == [3, 2, 1]


def test_patterns_are_counted_apart_whatever_the_level() -> None:
    lines = [
        (1.0, "INFO NoHostAvailable: retry"),
        (1.0, "ERROR disk full"),
        (9.0, "ERROR OperationTimedOut"),
        (9.0, "ERROR NoHostAvailable ignore me"),
    ]
    incidents = counted(lines, cassandra="NoHostAvailable|OperationTimedOut")
    assert (incidents.level.errors, incidents.named["cassandra"].errors) == (2, 2)


def test_a_pattern_in_a_stack_counts_the_incident_once() -> None:
    incidents = counted([(1.0, line) for line in JAVA.splitlines()], net="ConnectException|refused")
    assert incidents.named["net"].errors == 1


def test_streams_of_several_processes_do_not_mix() -> None:
    incidents = Incidents(ERROR, Patterns({}, []))
    for line in NODE.splitlines():
        incidents.feed(1.0, line, stream="1")
        incidents.feed(1.0, "served", stream="2")
    incidents.close()
    assert incidents.level.errors == 1


def test_known_fingerprints_are_not_new() -> None:
    before = counted([(1.0, "ERROR old 1")]).level.fingerprints()
    now = counted([(1.0, "ERROR old 2"), (1.0, "ERROR new 3")]).level.to_json(frozenset(before))
    assert [text for _, text, _ in now["new"]] == ["ERROR new 3"]


def test_memory_is_bounded() -> None:
    lines = [(1.0, "ERROR " + "".join(chr(97 + int(d)) for d in str(n))) for n in range(2000)]
    tally = counted(lines).level
    assert tally.overflowed
    assert tally.errors == 2000
    assert len(tally.fingerprints()) == MOST_KINDS


def test_a_pattern_that_takes_for_ever_is_ended() -> None:
    began = time.process_time()
    with pytest.raises(Fault, match=r"takes more than 0\.5 s on one line"):
        counted([(1.0, "a" * 40 + "!")], slow=r"(a|a)*$b")
    assert time.process_time() - began < 3


def test_a_pattern_this_python_cannot_read_is_told() -> None:
    with pytest.raises(Fault, match="cannot read the pattern"):
        Patterns({"bad": "("}, [])


@pytest.mark.parametrize(
    ("line", "at"),
    [
        ("2026-11-21T17:00:00Z x", 1795280400.0),
        ("2026-11-21 18:00:00,250+01:00 x", 1795280400.25),
        ("2026/11/21 17:00:00.5 Z x", 1795280400.5),
        ('1.2.3.4 - - [21/Nov/2026:17:00:00 +0000] "GET /"', 1795280400.0),
        ('{"msg": "x", "time": "2026-11-21T17:00:00.000Z"}', 1795280400.0),
        ('{"ts": 1795280400.5}', 1795280400.5),
        ('{"timestamp": 1795280400500}', 1795280400.5),
        ('{"msg": "2026-11-21T17:00:00Z"}', None),
        ("no time here", None),
    ],
)
def test_times_as_programs_write_them(line: str, at: float | None) -> None:
    assert log_times.of_line(line) == at


def test_times_without_a_zone_are_those_of_the_host() -> None:
    assert log_times.of_line("2026-11-21 17:00:00 x") == time.mktime(
        (2026, 11, 21, 17, 0, 0, 0, 0, -1)
    )
    stamp = time.strftime("%b %e %H:%M:%S", time.localtime(1795280400))
    year = time.localtime().tm_year
    found = log_times.of_line(f"{stamp} host shop[1]: x")
    assert found is not None
    assert time.localtime(found)[1:6] == time.localtime(1795280400)[1:6]
    assert time.localtime(found).tm_year in (year, year - 1)
